"""What a measure is: a model becomes samples, and samples become measurements.

The two halves are apart on purpose. `collect` runs in a worker process beside the model and returns
evidence (one row per document, iteration or launch). `summarize` is pure arithmetic on those rows: it
runs in the parent, needs no torch, and can be repeated on a stored run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness import strict_json
from harness.errors import Unsupported
from harness.measures.cost import Pace, Passes, one_context
from harness.models.adapter import IN_WORDS, Adapter, Capability
from harness.models.contract import LanguageModel, ModelIdentity, ModelSource, Precision
from harness.models.shape import ModelShape
from harness.results.peaks import Peaks as Peaks
from harness.results.record import Measurement, Metric, Missing, Scalar
from harness.strict_models import Written

if TYPE_CHECKING:
    import pandas as pd

    from harness.tasks.files.library import TaskLibrary

Sample = dict[str, Any]
"""One row of evidence; values are numbers, strings or lists of them (it is stored as Parquet)."""

NOTES = "notes"
"""Column of samples: a JSON list of notes of the whole cell, in its first row."""
LAUNCH = "launch"
"""Column of samples: which launch of the cell a row is of, from 1."""


def with_notes(samples: list[Sample], notes: Iterable[str]) -> list[Sample]:
    """The samples, the first of which carries the cell's notes, each once."""
    if samples and (told := list(dict.fromkeys(notes))):
        samples[0][NOTES] = strict_json.dumps(told)
    return samples


def notes_of(samples: pd.DataFrame) -> list[str]:
    """The notes that the samples of a cell carry; of several launches, each once."""
    if NOTES not in samples:
        return []
    return list(dict.fromkeys(note for told in samples[NOTES].dropna() for note in strict_json.loads(told)))


def check_batch(identity: ModelIdentity, batch: int) -> None:
    """Raises Unsupported for several rows of a model that answers rightly for one alone."""
    if batch > 1 and not identity.cache.rows:
        raise Unsupported(
            f"this model's logits change with the other rows of a batch: measure it with batch 1, not {batch}"
        )


def in_first_row(*columns: str) -> Callable[[pd.DataFrame], dict[str, Scalar]]:
    """`Measure.resolved` of a measure whose rows tell it in columns, the same in each."""

    def resolved(samples: pd.DataFrame) -> dict[str, Scalar]:
        known = {name: samples[name].dropna() for name in columns if name in samples}
        values = {name: column.iloc[0] for name, column in known.items() if len(column)}
        return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}

    return resolved


class Load(Protocol):
    """Opens the models of a cell."""

    @property
    def source(self) -> ModelSource:
        """Where the cell's model lies, for what is kept beside its weights."""

    @property
    def library(self) -> TaskLibrary:
        """Where tasks and their data are found, and what their code may do."""

    @property
    def unfinished(self) -> Path | None:
        """Where a long collection may keep what it has, for the cell's next try; removed when it ends well."""

    @property
    def asked(self) -> Mapping[str, ModelSource]:
        """Where the models lie that the cell's measure asks beside its own (`Measure.asks`), by their names."""

    def tell(self, done: float, text: str) -> None:
        """Say how far the collection is: `done` between 0 and 1, and what the last number was."""

    def other(self, name: str) -> LanguageModel:
        """One of `asked`, opened now or already, beside the cell's model."""

    def __call__(self, precision: Precision | None = None) -> LanguageModel:
        """The cell's model, opened now or already; with a precision, the same model at that one, beside it."""


class Settings(Written):
    """Base of a measure's settings: frozen, unknown keys refused, one line of meaning per field."""


@dataclass(frozen=True)
class Facts:
    """What `summarize` may know beside the samples."""

    identity: ModelIdentity
    peaks: Peaks | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure: what it is called, what it asks for, and its two halves."""

    name: str
    version: int
    about: str
    settings: type[Settings]
    metrics: tuple[Metric, ...]
    isolated: bool = False
    """True: runs alone, each launch in a fresh process (speed, memory). False: may share a loaded model."""
    needs_peaks: bool = False
    collect: Callable[[Load, Any], list[Sample]]
    """(load, settings) -> samples."""
    summarize: Callable[[pd.DataFrame, Any, Facts], Sequence[Measurement | Missing]]
    resolved: Callable[[pd.DataFrame], dict[str, Scalar]] = lambda samples: {}
    """samples -> what defines the numbers and was settled when the model was opened: see `CellResult.resolved`."""
    texts: Callable[[Any], tuple[str, ...]] = lambda settings: ()
    """The texts that the settings name: fetched before the cell runs; their digests enter the cell's key."""
    tasks: Callable[[Any], tuple[str, ...]] = lambda settings: ()
    """The tasks that the settings name: the same."""
    asks: Callable[[Any], tuple[str, ...]] = lambda settings: ()
    """The other models of the suite that the settings name (a reference, a judge): there before the cell runs, at its
    precision, device and seed; their digests enter the cell's key."""
    undeclared_metrics: bool = False
    """Whether what its settings name has metrics of its own beside `metrics`: files of tasks do."""
    times_training: bool = False
    """Whether it reads how quickly the model was trained or what that took: then it must be trained alone."""
    check: Callable[[TaskLibrary, Any], None] = lambda library, settings: None
    """(library, settings): raises UserError for what can be told to be wrong before anything runs."""
    notes: Callable[[TaskLibrary, Any], tuple[str, ...]] = lambda library, settings: ()
    """(library, settings) -> what a reader of the plan and of the result must know; a sentence each."""
    seconds: Callable[[Any, Pace], float | None] = lambda settings, pace: None
    """(settings, how quickly the model computes) -> seconds that a cell would take; None where nobody can tell."""
    needs: Callable[[TaskLibrary, Any], Mapping[Capability, str]] = lambda library, settings: {"logits": ""}
    """(library, settings) -> what a model must have for it: each with the reason that is given where one hasn't, a
    sentence; an empty one says no more than what it lacks."""
    passes: Callable[[Any, ModelShape], Passes] = one_context
    """(settings, shape of the model) -> the largest forward pass: what memory a cell would take."""
    fills: tuple[tuple[str, ...], ...] = ()
    """Settings that are tokens of one sequence, which a model's context must hold: several of one sequence are added
    up. One that is left out asks for no more than there is."""

    def why_not(self, library: TaskLibrary, settings: Any, adapter: Adapter) -> str | None:
        """Why models of an adapter can't be measured so; None where they can."""
        lacking = {one: why for one, why in self.needs(library, settings).items() if one not in adapter.has}
        if not lacking:
            return None
        told = " and ".join(IN_WORDS[one] for one in lacking)
        has = " and ".join(IN_WORDS[one] for one in IN_WORDS if one in adapter.has)
        return next(filter(None, lacking.values()), None) or (
            f"`{self.name}` needs a model that {told}, and a model of `{adapter.name}` {has}"
        )

    @property
    def timed(self) -> bool:
        """Whether it takes times itself, which depend on what else the machine does: on a busy one they are noise, and
        the result is not kept for later runs."""
        return not self.times_training and any(metric.depends_on == "time" for metric in self.metrics)

    def metric(self, name: str | None) -> Metric | None:
        """Its declaration of the metric of this name; None where it has none."""
        return next((metric for metric in self.metrics if metric.name == name), None)
