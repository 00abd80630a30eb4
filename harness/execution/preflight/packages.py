"""Whether the packages that cells need are installed: those that are extras, and what an install may lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from harness import assets, corpora
from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.execution.resolve import path_of_model
from harness.measures.registry import MEASURES
from harness.suite.where_named import where_axis, where_named
from harness.yaml_files.document import KeyPath


@dataclass(frozen=True)
class Needed:
    """A package that some cells need."""

    module: str
    what: str
    """What needs it, as a sentence goes on."""
    install: str
    where: Callable[[Plan, PlannedCell], KeyPath | None]
    """Where the suite asks for what needs it; None where a cell doesn't."""


def _of_kind(*kinds: str) -> Callable[[Plan, PlannedCell], KeyPath | None]:
    return lambda plan, item: _model(plan, item) if item.source.kind in kinds else None


def _model(plan: Plan, item: PlannedCell) -> KeyPath:
    return path_of_model(item.cell.model, plan.suite.models[item.cell.model])


def _precision(plan: Plan, item: PlannedCell) -> KeyPath | None:
    precision = item.source.precision
    return where_axis(plan.suite, "precision", precision) if precision in ("nf4", "fp4") else None


def _asset(plan: Plan, item: PlannedCell) -> KeyPath | None:
    name = item.resolved.asset
    is_due = name is not None and not assets.is_present(name) and assets.asset(name).conversion == "gguf"
    return _model(plan, item) if is_due else None


def _hub_text(plan: Plan, item: PlannedCell) -> KeyPath | None:
    for name in MEASURES[item.cell.measure].texts(item.cell.typed):
        if name.startswith("hub:") and corpora.size_hint(name) is None:  # not kept from before
            return where_named(plan.suite, item.cell.measure, name)
    return None


NEEDED = (
    Needed("torch", "every model needs it", "pip install torch", _model),
    Needed(
        "transformers",
        "models of transformers need it",
        "pip install transformers",
        _of_kind("transformers", "converted"),
    ),
    Needed("bitsandbytes", "the precisions nf4 and fp4 need it", "pip install bitsandbytes", _precision),
    Needed("gguf", "this asset is converted by it", "pip install gguf", _asset),
    Needed("datasets", "texts of the hub need it", "pip install 'gpt-harness[hub]'", _hub_text),
)
"""Of tasks each file says itself what it needs: see `TaskLibrary.missing`."""


def check_packages(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Packages that aren't installed: the cells that need them fail."""
    for needed in NEEDED:
        if is_installed(needed.module):
            continue
        cells: dict[KeyPath, list[PlannedCell]] = {}
        for item in items:
            if (path := needed.where(plan, item)) is not None:
                cells.setdefault(path, []).append(item)
        for path, mine in cells.items():
            why = f"the package `{needed.module}` is not installed, and {needed.what}: `{needed.install}`"
            yield Impossible(path, why, tuple(mine))


@cache
def is_installed(module: str) -> bool:
    """Whether a package can be imported here; it is not imported."""
    return find_spec(module) is not None
