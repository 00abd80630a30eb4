"""Every adapter by its name in a suite, and every way of opening a model by its kind. Imports no torch.

A new adapter of ours is one file and one line here; one of another package is an entry point `harness.models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field, InstanceOf

from harness.errors import UserError
from harness.models.adapter import Adapter, Capability, ModelSettings, Opening, Part
from harness.models.best_of_adapter import BEST_OF
from harness.models.contract import Precision
from harness.models.from_adapter import FROM
from harness.models.in_memory_adapter import IN_MEMORY
from harness.models.reference_adapter import REFERENCE
from harness.models.resolved import Resolved
from harness.models.shape import ModelShape
from harness.models.size import ModelSize
from harness.models.transformers_adapter import TRANSFORMERS
from harness.plugins import RESERVED, with_plugins
from harness.promises import Promises

OURS: dict[str, Adapter] = {adapter.name: adapter for adapter in (REFERENCE, TRANSFORMERS, FROM, BEST_OF, IN_MEMORY)}


PROMISES = Promises(
    fields={
        **{
            "about": str,
            "settings": type[ModelSettings],
            "openings": Annotated[tuple[Opening, ...], Field(min_length=1)],
        },
        **{"capabilities": frozenset[Capability], "precisions": Annotated[tuple[Precision, ...], Field(min_length=1)]},
        **{"elsewhere": Mapping[str, str], "parts": tuple[Part, ...]},
    },
    gives={
        **{"resolve": InstanceOf[Resolved], "size": InstanceOf[ModelSize] | None},
        "shape": InstanceOf[ModelShape] | None,
    },
)
"""Of a plugin's adapter."""


def _why_not(adapter: Adapter, before: Mapping[str, Adapter]) -> str | None:
    """Why a plugin's adapter can't stand beside the others: names that entries or records need for themselves."""
    keys = {key: name for name, other in before.items() for key in (name, *other.keys)}
    keys |= dict.fromkeys(RESERVED, "every entry") | dict.fromkeys(dir(BaseModel), "pydantic")
    if taken := [f"{key} (of {keys[key]})" for key in (adapter.name, *adapter.keys) if key in keys]:
        return f"has keys whose names are taken: {', '.join(taken)}"
    kinds = {opening.kind: name for name, other in before.items() for opening in other.openings}
    taken = [f"{opening.kind} (of {kinds[opening.kind]})" for opening in adapter.openings if opening.kind in kinds]
    if taken:
        return f"opens kinds whose names are taken: {', '.join(taken)}"
    own = [opening.kind for opening in adapter.openings]
    twice = sorted({kind for kind in own if own.count(kind) > 1})
    return f"opens kinds twice: {', '.join(twice)}" if twice else None


ADAPTERS = with_plugins("harness.models", Adapter, OURS, PROMISES, _why_not)
"""Those that ship and those of plugins, by name."""

_OF_KIND = {opening.kind: (adapter, opening) for adapter in ADAPTERS.values() for opening in adapter.openings}


def kinds() -> list[str]:
    """Every kind of model that can be opened."""
    return list(_OF_KIND)


def adapter_of(kind: str) -> Adapter:
    """The adapter of a kind of model. Raises UserError where none is installed."""
    return _found(kind)[0]


def opening_of(kind: str) -> Opening:
    """How models of a kind are opened. Raises UserError where no adapter is installed that does."""
    return _found(kind)[1]


def has(kind: str, capability: Capability) -> bool:
    """Whether models of a kind have a capability."""
    return capability in adapter_of(kind).has


def _found(kind: str) -> tuple[Adapter, Opening]:
    if kind not in _OF_KIND:
        raise UserError(
            f"no adapter that is installed here opens models of the kind '{kind}' (there are {', '.join(_OF_KIND)}); "
            "`harness list plugins` says which packages are there"
        )
    return _OF_KIND[kind]
