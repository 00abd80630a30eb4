"""Cells on this machine, in worker processes.

Models that have to be trained come first, side by side where there are cores for it. Quality cells follow, model by
model, in one worker that keeps the model open; then speed and memory cells, each alone on the machine, each launch in
a fresh process.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import no_room, unexpected
from harness.execution.cell_cache import CellCache, Evidence
from harness.execution.events import CellGoing, CellStarted, OnEvent
from harness.execution.executor import Answered
from harness.execution.memory_there import ran_out
from harness.execution.needs import PeaksNeed
from harness.execution.plan import PlannedCell
from harness.execution.prepared import Prepared
from harness.execution.requests import Collect, Collected, Refused
from harness.execution.worker import Worker, WorkerDied, preload
from harness.execution.worker_log import WorkerLog, trace_of
from harness.measures.measure import LAUNCH
from harness.models.registry import opening_of
from harness.results.conditions import most_taken, taken_now
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks
from harness.results.provenance import together
from harness.results.record import Status
from harness.tasks.files.library import TaskLibrary
from harness.threads import beside_others


class LocalExecutor:
    """One run's cells on this machine: what has been prepared, and the worker that quality cells share."""

    def __init__(
        self, machine: Fingerprint, library: TaskLibrary, cache: CellCache, log: WorkerLog, on_event: OnEvent
    ) -> None:
        self._machine = machine
        self._library = library
        self._cache = cache
        self._log = log
        self._on_event = on_event
        self._prepared = Prepared(machine, library, log, on_event)
        self._worker: Worker | None = None
        """The one that quality cells share."""

    @property
    def models(self) -> Mapping[str, dict[str, Any]]:
        """See `Executor.models`."""
        return self._prepared.models

    @property
    def peaks(self) -> Mapping[PeaksNeed, Peaks]:
        """See `Executor.peaks`."""
        return self._prepared.peaks

    def look(self, items: Sequence[PlannedCell]) -> None:
        """See `Executor.look`."""
        self._prepared.look(items)

    def run(self, items: Sequence[PlannedCell]) -> Iterator[Answered]:
        """See `Executor.run`. A cell whose samples an earlier try left is answered with those."""
        preload(["harness.execution.serve", *_modules(items)])
        self._prepared.train_side_by_side(items)
        yield from self._shared([item for item in items if not item.isolated])
        for item in items:
            if item.isolated:
                yield self.known(item) or self._isolated(item)

    def close(self) -> None:
        """End the worker that quality cells share."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _shared(self, items: list[PlannedCell]) -> Iterator[Answered]:
        by_worker: dict[int, list[PlannedCell]] = {}
        for item in items:
            by_worker.setdefault(item.threads, []).append(item)
        for threads, group in by_worker.items():
            sources = list(dict.fromkeys(item.source for item in group))
            share = taken_now(0.2) if threads > 1 else None
            for item in sorted(group, key=lambda item: sources.index(item.source)):
                if (known := self.known(item)) is not None:
                    yield known
                    continue
                began = time.monotonic()
                if self._worker is None:
                    self._worker = Worker(threads, self._log.path)
                self._on_event(CellStarted(item.cell, 1, 1))
                # what is not timed gives way; a suite's own number of threads is kept
                fewer = None if "threads" in item.cell.axes else beside_others(threads, share)
                answer = self._ask(self._worker, item, fewer)
                if isinstance(answer, WorkerDied):
                    self.close()
                    answer = _died(answer, item)
                elif isinstance(answer, Collected):
                    share = most_taken([answer.conditions], self._machine.cores)
                yield answered(item, [answer], time.monotonic() - began)
            self.close()

    def _isolated(self, item: PlannedCell) -> Answered:
        began = time.monotonic()
        launches = int(getattr(item.cell.typed, "launches", 1))
        answers: list[Collected | Refused] = []
        for launch in range(1, launches + 1):
            self._on_event(CellStarted(item.cell, launch, launches))
            with Worker(item.threads, self._log.path, lane=0) as worker:
                answer = self._ask(worker, item)
            answer = _died(answer, item) if isinstance(answer, WorkerDied) else answer
            if isinstance(answer, Refused):
                if launch > 1:
                    answer = replace(answer, reason=f"launch {launch} of {launches} failed: {answer.reason}")
                answers.append(answer)
                break
            answers.append(answer)
        return answered(item, answers, time.monotonic() - began)

    def known(self, item: PlannedCell) -> Answered | None:
        """The answer of a cell that need not be run, or can't be; what it needs is prepared."""
        if (reason := self._prepared.why_not(item)) is not None:
            return Answered(item, Refused(Status.FAILED, reason))
        kept = self._cache.kept(item.key)
        return None if kept is None else Answered(item, kept, kept.seconds)

    def _ask(self, worker: Worker, item: PlannedCell, threads: int | None = None) -> Collected | Refused | WorkerDied:
        kills = _oom_kills()
        unfinished = self._cache.unfinished(item.key)
        request = Collect(
            *(item.cell.measure, item.cell.typed, item.source, self._library),
            *(None if unfinished is None else str(unfinished), threads, item.read),
            machine=self._machine,
            asked=item.asked_sources,
        )
        try:
            answer = worker.ask(request, lambda step: self._on_event(CellGoing(item.cell, step.done, step.text)))
        except WorkerDied as died:
            died.out_of_memory = died.exit_code == -signal.SIGKILL and _oom_kills() > kills
            return died
        except Exception as error:  # an answer that can't be read back
            self._log.write_trace(f"{item.cell.title} [{item.key}]", error)
            worker.end_now()
            return WorkerDied(None, unexpected("reading what the worker process sent", error))
        assert isinstance(answer, Collected | Refused)
        return answer


def _modules(items: Sequence[PlannedCell]) -> list[str]:
    """What workers of these cells import, so that it is imported once."""
    opened = [source.kind for item in items for source in (item.source, *(one for _, one in item.asked_sources))]
    modules = [opening_of(kind).module for kind in dict.fromkeys(opened)]
    if any(model.is_made_here and not model.ready for item in items for model in item.models):
        modules.append("torch._dynamo")  # what the first optimizer of a process would import, for seconds
    return modules


def answered(item: PlannedCell, launches: Sequence[Collected | Refused], seconds: float) -> Answered:
    """The answer of a cell from those of its launches: the samples of those that ended, and why the last one didn't;
    why the first one failed, where none ended."""
    collected = [launch for launch in launches if isinstance(launch, Collected)]
    refused = next((launch for launch in launches if isinstance(launch, Refused)), None)
    if refused is not None and not collected:
        return Answered(item, refused, seconds)
    try:
        return Answered(item, replace(_together(collected, seconds), failed=refused), seconds)
    except Exception as error:
        if no_room(error):
            raise
        reason = unexpected("putting the samples together", error)
        return Answered(item, Refused(Status.FAILED, reason, trace_of(error)), seconds)


def _together(launches: list[Collected], seconds: float) -> Evidence:
    """The samples of all launches of a cell, numbered from 1."""
    import pandas as pd

    frames = []
    for number, collected in enumerate(launches, start=1):
        frame = pd.DataFrame(collected.samples)
        frame[LAUNCH] = number
        frames.append(frame)
    conditions: dict[str, Any] = {"launches": [collected.conditions for collected in launches]}
    packages = together(launch.packages for launch in launches)
    return Evidence(pd.concat(frames, ignore_index=True), launches[-1].identity, conditions, seconds, packages)


def _oom_kills() -> int:
    """How many processes the kernel has ended because memory ran out; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _died(died: WorkerDied, item: PlannedCell) -> Refused:
    if died.out_of_memory:
        return Refused(Status.OUT_OF_MEMORY, ran_out(item))
    return Refused(Status.FAILED, str(died))
