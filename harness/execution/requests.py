"""What the parent asks of a worker process, and what comes back: plain picklable data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.measures.measure import Sample, Settings
from harness.models.contract import ModelIdentity, ModelSource
from harness.models.stage import Stage
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks
from harness.results.provenance import Package
from harness.results.record import Status
from harness.tasks.files.library import TaskLibrary


@dataclass(frozen=True)
class Collect:
    """Collect the samples of one launch of one cell."""

    measure: str
    settings: Settings
    """As the measure's own class validated them."""
    source: ModelSource
    library: TaskLibrary = field(default_factory=TaskLibrary)
    """Where tasks are found."""
    unfinished: str | None = None
    """A file that a long collection may keep what it has in: see `Load.unfinished`."""
    threads: int | None = None
    """With fewer threads than the worker has, for this cell alone: where others use the cores."""
    read: tuple[tuple[str, str, str], ...] = ()
    """The texts and tasks that are read, and their digests: see `PlannedCell.read`."""
    machine: Fingerprint | None = None
    """What it was planned for; None: the worker compares with nothing."""
    asked: tuple[tuple[str, ModelSource], ...] = ()
    """Other models that the measure asks, by their names: see `Load.asked`."""


@dataclass(frozen=True)
class TrainModel:
    """Train a model and keep it where its source says."""

    training: Stage
    source: ModelSource
    """What will be there then: of its path the folder."""
    start: ModelSource | None = None
    """What its weights start from."""
    asked: tuple[tuple[str, ModelSource], ...] = ()
    """Models that are asked meanwhile: see `Resolved.asked`."""
    watched: bool = False
    """Whether its time and its memory are nobody's measurement: its state is kept while it goes, so that a kill costs
    little, and now and then it shows what the model writes."""


@dataclass(frozen=True)
class MeasurePeaks:
    """Measure what a device can do at most with the worker's threads."""

    device: str


Request = Collect | TrainModel | MeasurePeaks


@dataclass(frozen=True)
class Step:
    """News from a request that is under way."""

    done: float
    """Between 0 and 1."""
    text: str
    """What the last number was."""
    sample: str = ""
    """What a model that is trained writes now."""


@dataclass(frozen=True)
class Said:
    """What a person should read: see `harness.notice`."""

    sentence: str


@dataclass(frozen=True)
class Collected:
    """The samples of one launch."""

    samples: list[Sample]
    identity: ModelIdentity
    conditions: dict[str, Any]
    """What the machine was doing `before` and `after`, and what the worker says of itself: the `class` of its machine,
    its `threads`, `kernel`, `aten`, `device` and `imported` versions, and what is `other` than planned."""
    packages: dict[str, Package] = field(default_factory=dict)
    """What the worker has imported: see `harness.execution.imported`."""


@dataclass(frozen=True)
class Trained:
    """A training that ended: its summary."""

    summary: dict[str, Any]
    is_whole: bool = True
    """Whether all of it was done now: not where it went on from a state, or another run did it meanwhile."""


@dataclass(frozen=True)
class PeaksMeasured:
    """The peaks."""

    peaks: Peaks
    machine_class: str
    """Fingerprint class of the machine on which they were measured."""


@dataclass(frozen=True)
class Refused:
    """The request ended in an error: what a person should read, and the trace for the log."""

    status: Status
    reason: str
    trace: str = field(default="", repr=False)


Answer = Collected | Trained | PeaksMeasured | Refused
