"""What cells need before they run: a model, texts, tasks, peaks. Two cells that need the same need equal things."""

from __future__ import annotations

from dataclasses import dataclass

from harness.execution.plan import PlannedCell
from harness.measures.registry import MEASURES


@dataclass(frozen=True)
class ModelNeed:
    """A model, fetched or trained."""

    digest: str

    def __str__(self) -> str:
        return f"model {self.digest}"


@dataclass(frozen=True)
class TextNeed:
    """A text, within reach."""

    name: str

    def __str__(self) -> str:
        return f"text {self.name}"


@dataclass(frozen=True)
class TaskNeed:
    """A task's data, within reach."""

    name: str

    def __str__(self) -> str:
        return f"task {self.name}"


@dataclass(frozen=True)
class PeaksNeed:
    """What a device of this machine can do at most with so many threads."""

    device: str
    threads: int

    def __str__(self) -> str:
        return f"peaks {self.where}"

    @property
    def where(self) -> str:
        """As a manifest names it: `cpu 2`."""
        return f"{self.device} {self.threads}"


Need = ModelNeed | TextNeed | TaskNeed | PeaksNeed


def peaks_of(item: PlannedCell) -> PeaksNeed:
    """The peaks that a cell's numbers may be compared with."""
    return PeaksNeed(item.source.device, item.threads)


def needs_of(item: PlannedCell) -> list[Need]:
    """All that a cell needs, in the order in which it is prepared."""
    measure, settings = MEASURES[item.cell.measure], item.cell.typed
    texts = [TextNeed(text) for text in measure.texts(settings)]
    tasks = [TaskNeed(task) for task in measure.tasks(settings)]
    models = [ModelNeed(model.source.digest) for model in item.models]
    return [*models, *texts, *tasks, *([peaks_of(item)] if measure.needs_peaks else [])]
