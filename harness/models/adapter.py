"""What an adapter is: all that the harness knows of one kind of model, declared in one file that imports no torch.

An adapter of ours is one file and one line in `registry.py`; one of another package is an entry point `harness.models`.
The suite language, plans, estimates, `harness doctor` and `harness list` go by what it declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import UserError, shown
from harness.models.contract import PRECISIONS, Precision
from harness.models.resolved import Resolved
from harness.models.shape import ModelShape
from harness.models.size import ModelSize
from harness.strict_entry import PathText, Strict

Capability = Literal["logits", "scores", "generates", "serves", "blocks"]
"""What can be asked of a model: `Logits` (with tokens: a `LanguageModel`), `Scores`, `Generates` and `Serves` of
`contract.py`. blocks: it is a reference GPT, into which measures may look."""
IN_WORDS: dict[Capability, str] = {
    "logits": "gives logits",
    "scores": "says how likely texts are",
    "generates": "writes texts",
    "serves": "answers requests as they arrive",
    "blocks": "shows its blocks",
}
"""Of a model: it …"""
BY_SCORING: tuple[Capability, ...] = ("scores", "generates")
"""What `harness.scoring` does with logits, for every model that has them."""


class ModelSettings(Strict):
    """Base of what an entry of `models:` says under an adapter: each adapter adds the keys of its own."""

    model: PathText
    """What stands behind the adapter's name: `reference: nano` names the model `nano`."""

    @property
    def is_trained_here(self) -> bool:
        """Whether the model is trained before it is measured: then it has the axes `seed` and `compute`."""
        return False

    @property
    def has_budget(self) -> bool:
        """Of one that is trained here: whether its entry says how long, without the axis `compute`."""
        return False

    def parameters(self) -> int | None:
        """Parameters of a model that is trained here; None of others, and where they aren't known yet."""
        return None


def _no_suite(name: str) -> Resolved:
    raise UserError(f"'{shown(name)}' is to be a model of the same suite, and no suite is here; name the suite")


@dataclass(frozen=True)
class Point:
    """Where in the matrix a model is resolved, and what the person who runs the suite allows."""

    seed: int | None = None
    compute: float | None = None
    trust_remote_code: bool = False
    training_code: Callable[[str], str] = lambda method: ""
    """Hash of the code that does trainings of a method: part of what determines a trained model."""
    other: Callable[[str], Resolved] = lambda name: _no_suite(name)
    """Another model of the suite, by its name, at this point. Raises UserError where there is none."""


@dataclass(frozen=True)
class Part:
    """A library that something needs, for `harness doctor`."""

    module: str
    needed_for: str
    install: str


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A way in which an adapter opens models. Most have one."""

    kind: str
    """What records call a model that is opened so (`ModelIdentity.kind`), and `ModelSource.kind` asks for."""
    module: str
    """Opens it: `open_source(source: ModelSource) -> LanguageModel`. Imported where a model is opened, and once by the
    server that workers are forked from: it imports all that it needs at its top, and runs nothing then. It may have
    `save_throwaway(folder)`, which saves the smallest model there is: opened before memory is measured."""
    start: float = 3.0
    """Seconds from starting a process to its first operation: an estimate."""
    libraries: float = 260e6
    """Bytes of a process that has imported the module, and done nothing: an estimate."""
    packages: tuple[str, ...] = ()
    """Packages beside torch and tokenizers whose version decides what the model computes: part of its cells' keys."""
    lm_eval: str = ""
    """What lm-eval calls such a model, where it has one."""


def _nothing_known(resolved: Resolved) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One kind of model: how a suite names it, what it can do, what opens it and what that takes."""

    name: str
    """The key of its models in a suite: `reference: ...`."""
    about: str
    """What it takes, in a sentence or two: the description of its key."""
    settings: type[ModelSettings]
    """What an entry says under it."""
    resolve: Callable[[str, Any, Point], Resolved]
    """(name in the suite, settings, point) -> the model, with a digest of all that determines it. Loads nothing. Raises
    UserError where there is no such model."""
    openings: tuple[Opening, ...]
    """None where a model is opened as the one that it comes from."""
    capabilities: frozenset[Capability]
    """What its models have, each of them: known without opening one."""
    precisions: tuple[Precision, ...] = PRECISIONS
    """Those that its models can have: a cell of another one is skipped. What `open_source` of one of these can't do all
    the same raises Unsupported."""
    size: Callable[[Resolved], ModelSize | None] = _nothing_known
    """How many parameters a model has, without loading it: what estimates of time and memory go by."""
    shape: Callable[[Resolved], ModelShape | None] = _nothing_known
    """What of its shape the memory of a pass depends on, without loading it."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """What is said where the entry of another adapter has one of its keys, by key."""
    parts: tuple[Part, ...] = ()
    """The libraries that it needs."""
    of_suite: bool = False
    """Whether it is made of other models of a suite, without which it is none."""
    in_process: bool = False
    """Whether its models live in the process that runs the suite: their cells run in it, each in one launch."""

    def why_not(self, precision: Precision) -> str | None:
        """Why none of its models has a precision; None where they may."""
        if precision in self.precisions:
            return None
        return f"a model of `{self.name}` has the precision {' or '.join(self.precisions)}, not {precision}"

    @property
    def has(self) -> frozenset[Capability]:
        """All that can be asked of its models, of themselves or by what is made of their logits."""
        return self.capabilities.union(BY_SCORING if "logits" in self.capabilities else ())

    @property
    def keys(self) -> list[str]:
        """The keys of its entries beside its name."""
        return [name for name in self.settings.model_fields if name != "model"]
