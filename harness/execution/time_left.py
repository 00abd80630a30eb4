"""How long a run will still take: what was estimated, corrected by what has ended and by how far the rest is.

An estimate is arithmetic on counts and peaks, and may be wrong by a factor, which is mostly the same for all cells of
a measure: the ratio of real to estimated time of those that ended corrects those that are left (of a measure of which
none has ended yet, the ratio of all). What says how far it is needs no estimate. What is known from earlier runs takes
no time and corrects nothing; what failed corrects nothing either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.execution.events import CellEnded, CellGoing, CellStarted, Event, Planned, Preparing
from harness.results.record import Status
from harness.suite.cells import Cell

TOLD = 0.05
"""Share of a cell from which on its own pace says more than the estimate."""
PREPARING = "preparing"
"""The kind of what is fetched and trained, beside the measures."""


@dataclass
class _Job:
    """A cell, or something that is prepared, that has not ended."""

    kind: str
    expected: float | None
    began: float | None = None
    launch: int = 1
    launches: int = 1
    done: float = 0.0

    def far(self, share: float) -> None:
        """`share` of its launch is done. It never goes back: a collection may have several parts."""
        self.done = max(self.done, (self.launch - 1 + share) / self.launches)


@dataclass(frozen=True)
class Left:
    """What is left of a run."""

    seconds: float
    """Of what has an estimate, or says how far it is."""
    unknown: int
    """Cells and preparations beside, of which nobody can tell."""


class TimeLeft:
    """Listens to a run's events, and says what is left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[Cell | str, _Job] = {}
        self._real: dict[str, float] = {}
        self._estimated: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        match event:
            case Planned():
                self._jobs = {of: _Job(_kind(of), seconds) for of, seconds in event.seconds.items()}
            case Preparing():
                job = self._begin(event.what)
                job.far(event.done)
                if event.done >= 1:
                    self._end(event.what, teaches=True)
            case CellStarted():
                job = self._begin(event.cell)
                job.launch, job.launches = event.launch, event.launches
                job.far(0.0)
            case CellGoing():
                self._begin(event.cell).far(event.done)
            case CellEnded():
                self._end(event.cell, teaches=event.result.status is Status.OK)

    def left(self) -> Left:
        """What is left now."""
        prepared, cells, unknown, at_once = [0.0], 0.0, 0, 0
        for job in self._jobs.values():
            at_once += job.kind == PREPARING and job.began is not None
            seconds = self._of(job)
            if seconds is None:
                unknown += 1
            elif job.kind == PREPARING:
                prepared.append(seconds)
            else:
                cells += seconds
        return Left(cells + max(max(prepared), sum(prepared) / max(at_once, 1)), unknown)

    def share(self, of: Cell | str) -> float:
        """How much of a cell or a preparation is done, between 0 and 1."""
        job = self._jobs.get(of)
        return 0.0 if job is None else job.done

    def _begin(self, of: Cell | str) -> _Job:
        job = self._jobs.setdefault(of, _Job(_kind(of), None))
        if job.began is None:
            job.began = self._clock()
        return job

    def _end(self, of: Cell | str, *, teaches: bool) -> None:
        job = self._jobs.pop(of, None)
        if teaches and job is not None and job.began is not None and job.expected:
            self._real[job.kind] = self._real.get(job.kind, 0.0) + self._clock() - job.began
            self._estimated[job.kind] = self._estimated.get(job.kind, 0.0) + job.expected

    def _of(self, job: _Job) -> float | None:
        gone = 0.0 if job.began is None else self._clock() - job.began
        if job.done >= TOLD:
            return gone * (1 - job.done) / job.done
        return None if job.expected is None else max(job.expected * self._ratio(job.kind) - gone, 0.0)

    def _ratio(self, kind: str) -> float:
        """Real to estimated time of what has ended."""
        if estimated := self._estimated.get(kind, 0.0):
            return self._real[kind] / estimated
        estimated = sum(self._estimated.values())
        return sum(self._real.values()) / estimated if estimated else 1.0


def _kind(of: Cell | str) -> str:
    return PREPARING if isinstance(of, str) else of.measure
