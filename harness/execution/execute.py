"""Cells to records: prepares what they need, runs them in workers, and hands over each result as it comes.

Models that have to be trained come first, side by side where there are cores for it. Quality cells follow, model by
model, in one worker that keeps the model open; then speed and memory cells, each alone on the machine, each launch in
a fresh process. Whatever happens to a cell, the rest goes on.
"""

from __future__ import annotations

import contextlib
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import corpora
from harness.errors import no_room, printable, told, unexpected
from harness.execution.cell_cache import CellCache, Evidence
from harness.execution.events import CellGoing, CellStarted, OnEvent
from harness.execution.memory_there import ran_out
from harness.execution.plan import PlannedCell, key_of
from harness.execution.prepare import (
    NotPrepared,
    prepare_model,
    prepare_peaks,
    prepare_task,
    prepare_text,
    prepare_trainings,
)
from harness.execution.requests import Collect, Collected, Refused
from harness.execution.train import shares
from harness.execution.worker import Worker, WorkerDied, preload
from harness.measures.measure import Facts, notes_of
from harness.measures.noise import is_noise
from harness.measures.registry import MEASURES
from harness.models.open import KINDS
from harness.models.training import trained_summary
from harness.results.fingerprint import Fingerprint, most_taken, taken_now
from harness.results.peaks import Peaks, cached_peaks
from harness.results.record import CellResult, Measurement, Missing, Record, Status
from harness.tasks.files.library import TaskLibrary
from harness.threads import beside_others, default_threads

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Done:
    """A cell's result with its samples, ready for the journal."""

    item: PlannedCell
    result: CellResult
    samples: pd.DataFrame | Path | None


class Execution:
    """One run's execution: what has been prepared, and the worker that quality cells share."""

    def __init__(self, machine: Fingerprint, library: TaskLibrary, log: Path, on_event: OnEvent) -> None:
        self._machine = machine
        self._library = library
        self._log = log
        self._on_event = on_event
        self._prepared: dict[str, str | None] = {}
        """What was prepared, and the reason where it failed."""
        self.models: dict[str, dict[str, Any]] = {}
        """Summaries of the models, for the manifest."""
        self.peaks: dict[str, Peaks] = {}
        """By device and threads, such as `cpu 2`."""
        self._cache = CellCache()

    def run(self, items: list[PlannedCell], *, fresh: bool) -> Iterator[Done]:
        """Run the cells in the best order. With `fresh`, known results are measured again. A cell that could not be
        summed up is summed up again from the samples that its last try left."""
        for item in items:
            if item.resolved.ready:
                self.models[item.cell.trained_model] = self._summary(item)
            peaks = cached_peaks(self._machine.class_id, item.threads, item.source.device)
            if peaks is not None and MEASURES[item.cell.measure].needs_peaks:
                self.peaks[f"{item.source.device} {item.threads}"] = peaks
        known = [] if fresh else [item for item in items if item.cached]
        unknown = [item for item in items if item not in known]
        for item in known:
            done = self._from_cache(item)
            if done is None:
                unknown.append(item)
            else:
                yield done
        if not unknown:
            return
        modules = [KINDS[kind] for kind in dict.fromkeys(item.source.kind for item in unknown)]
        if any(item.resolved.training is not None and not item.resolved.ready for item in unknown):
            modules.append("torch._dynamo")  # what the first optimizer of a process would import, for seconds
        preload(["harness.execution.serve", *modules])
        once = list({item.key: item for item in reversed(unknown)}.values())[::-1]
        twins = [item for item in unknown if item not in once]  # the same result under another name
        measured: dict[str, Done] = {}
        for done in self._measured(once):
            measured[done.item.key] = done
            yield done
        for item in twins:
            yield self._under_own_names(item, measured[item.key])

    def _measured(self, items: list[PlannedCell]) -> Iterator[Done]:
        self._train_side_by_side(items)
        yield from self._shared([item for item in items if not item.isolated])
        for item in items:
            if item.isolated:
                yield self._isolated(item)

    def _train_side_by_side(self, items: list[PlannedCell]) -> None:
        """Train what is not ready side by side, but for models whose training is timed: those are trained alone, with
        their cells' threads, when their first cell is due."""
        timed = {item.source.digest for item in items if MEASURES[item.cell.measure].times_training}
        by_threads: dict[int, dict[str, PlannedCell]] = {}
        for item in items:
            resolved = item.resolved
            if resolved.training is not None and not resolved.ready and resolved.source.digest not in timed:
                by_threads.setdefault(item.threads, {}).setdefault(resolved.source.digest, item)
        for threads, group in by_threads.items():
            left = {digest: item for digest, item in group.items() if f"model {digest}" not in self._prepared}
            models = [item.resolved for item in left.values()]
            each, at_once = shares(models, threads, default_threads())
            reasons = prepare_trainings(models, each, at_once, self._log, self._on_event)
            for digest, reason in reasons.items():
                self._prepared[f"model {digest}"] = reason
                if reason is None:
                    self.models[left[digest].cell.trained_model] = self._summary(left[digest])

    def _shared(self, items: list[PlannedCell]) -> Iterator[Done]:
        by_worker: dict[int, list[PlannedCell]] = {}
        for item in items:
            by_worker.setdefault(item.threads, []).append(item)
        for threads, group in by_worker.items():
            sources = list(dict.fromkeys(item.source for item in group))
            group = sorted(group, key=lambda item: sources.index(item.source))
            worker: Worker | None = None
            share = taken_now(0.2) if threads > 1 else None
            try:
                for item in group:
                    reason = self._why_not(item)
                    if reason is not None:
                        yield self._done(item, Refused(Status.FAILED, reason), 0.0, [])
                        continue
                    began = time.monotonic()
                    if (kept := self._cache.kept(item.key)) is not None:
                        yield self._summed_up(item, kept)
                        continue
                    if worker is None:
                        worker = Worker(threads, self._log)
                    self._on_event(CellStarted(item.cell, 1, 1))
                    # what is not timed gives way; a suite's own number of threads is kept
                    fewer = None if "threads" in item.cell.axes else beside_others(threads, share)
                    answer = self._ask(worker, item, fewer)
                    if isinstance(answer, WorkerDied):
                        worker.__exit__(None)
                        worker = None
                        answer = _died(answer, item)
                    elif isinstance(answer, Collected):
                        share = most_taken([answer.conditions], self._machine.cores)
                    yield self._done(item, answer, time.monotonic() - began, [])
            finally:
                if worker is not None:
                    worker.__exit__(None)

    def _isolated(self, item: PlannedCell) -> Done:
        reason = self._why_not(item)
        if reason is not None:
            return self._done(item, Refused(Status.FAILED, reason), 0.0, [])
        if (kept := self._cache.kept(item.key)) is not None:
            return self._summed_up(item, kept)
        began = time.monotonic()
        launches = int(getattr(item.cell.typed_settings(), "launches", 1))
        collected: list[Collected] = []
        for launch in range(1, launches + 1):
            self._on_event(CellStarted(item.cell, launch, launches))
            with Worker(item.threads, self._log, lane=0) as worker:
                answer = self._ask(worker, item)
            if isinstance(answer, WorkerDied):
                answer = _died(answer, item)
            if isinstance(answer, Refused):
                return self._done(item, answer, time.monotonic() - began, collected)
            collected.append(answer)
        return self._done(item, collected[-1], time.monotonic() - began, collected[:-1])

    def _why_not(self, item: PlannedCell) -> str | None:
        """Prepare what a cell needs; the reason why it can't run, if it can't."""
        if item.missing is not None:
            return item.missing
        measure = MEASURES[item.cell.measure]
        needs = [f"model {item.source.digest}"]
        needs += [f"text {text}" for text in measure.texts(item.cell.typed_settings())]
        needs += [f"task {task}" for task in measure.tasks(item.cell.typed_settings())]
        needs += [f"peaks {item.source.device} {item.threads}"] if measure.needs_peaks else []
        for need in needs:
            if need not in self._prepared:
                self._prepared[need] = self._prepare(need, item)
            if self._prepared[need] is not None:
                return self._prepared[need]
        return None

    def _prepare(self, need: str, item: PlannedCell) -> str | None:
        kind, _, what = need.partition(" ")
        try:
            if kind == "text":
                prepare_text(what, self._on_event)
            elif kind == "task":
                prepare_task(what, self._library, self._on_event)
            elif kind == "peaks":
                device, threads = item.source.device, item.threads
                self.peaks[what] = prepare_peaks(self._machine, device, threads, self._log, self._on_event)
            else:
                self.models[item.cell.trained_model] = self._prepare_model(item)
        except NotPrepared as error:
            return str(error)
        except Exception as error:
            if no_room(error):
                raise
            self._write_trace(f"preparing {need}", error)
            return unexpected(f"preparing {need}", error)
        return None

    def _prepare_model(self, item: PlannedCell) -> dict[str, Any]:
        if not item.resolved.ready:
            prepare_model(item.resolved, item.threads, self._log, self._on_event)
        return self._summary(item)

    @staticmethod
    def _summary(item: PlannedCell) -> dict[str, Any]:
        source = item.resolved.source
        trained = {} if item.resolved.training is None else trained_summary(Path(source.path))
        return {"kind": source.kind, "path": source.path, "digest": source.digest} | trained

    def _done(self, item: PlannedCell, answer: Collected | Refused, seconds: float, earlier: list[Collected]) -> Done:
        """The result of a cell from its last answer and the launches before it."""
        if isinstance(answer, Refused):
            if answer.trace:
                self._write_log(f"{item.cell.title} [{item.key}]\n{answer.trace}")
            result = self._result(item, answer.status, answer.reason, [], {}, seconds)
            return Done(item, result, None)
        try:
            evidence = _together([*earlier, answer], seconds)
        except Exception as error:
            return self._failed(item, "putting the samples together", error, None, seconds)
        return self._summed_up(item, evidence)

    def _summed_up(self, item: PlannedCell, evidence: Evidence) -> Done:
        """The result of a cell from all its samples. Whatever goes wrong here is this cell's failure alone, and its
        samples are kept, so that the next try sums them up again without the model."""
        measure = MEASURES[item.cell.measure]
        facts = Facts(identity=evidence.identity, peaks=self.peaks.get(f"{item.source.device} {item.threads}"))
        ran = _kernel_that_ran(item, evidence.conditions)
        planned, item = item, replace(item, key=key_of(item.rest, ran), notes=(*item.notes, *_other_kernel(item, ran)))
        try:
            found = measure.summarise(evidence.samples, item.cell.typed_settings(), facts)
            records = [self._record(item, one, facts) for one in found]
            told = {"others_share": most_taken(evidence.conditions["launches"], self._machine.cores), "kernel": ran}
            result = self._result(item, Status.OK, None, records, evidence.conditions | told, evidence.seconds)
            resolved = measure.resolved(evidence.samples)
            result = result.model_copy(
                update={
                    "resolved": resolved,
                    "records": [record.model_copy(update={"resolved": resolved}) for record in records],
                }
            )
            notes = [note for text in measure.texts(item.cell.typed_settings()) for note in corpora.notes(text)]
            of_model = [f"the model: {note}" for note in facts.identity.notes]
            notes = list(dict.fromkeys([*notes, *of_model, *notes_of(evidence.samples)]))
            result = result.model_copy(update={"stored": facts.identity.stored})
        except Exception as error:
            with self._cache_may_fail(item):
                self._cache.keep(planned.key, evidence)
            return self._failed(planned, "summing up the samples", error, evidence.samples, evidence.seconds)
        samples: pd.DataFrame | None = evidence.samples
        if (unstorable := _why_no_file(evidence.samples)) is not None:
            self._write_trace(f"{item.cell.title} [{item.key}]", unstorable)
            lost = Missing(reason=unexpected("storing the samples", unstorable))
            result = result.model_copy(update={"records": [*result.records, self._record(item, lost, facts)]})
            samples = None
        if result.whole:  # what failed in part is tried again
            with self._cache_may_fail(item):
                if not is_noise(result):  # what the plan told is told again by the next plan
                    self._cache.store(result.model_copy(update={"notes": notes}), samples)
                self._cache.forget(planned.key)
        own = {"notes": [*item.notes, *notes], "planned": planned.key if planned.key != item.key else None}
        return Done(planned, result.model_copy(update=own), samples)

    def _failed(
        self, item: PlannedCell, what: str, error: Exception, samples: pd.DataFrame | None, seconds: float
    ) -> Done:
        """A cell whose samples are there and that failed all the same."""
        if no_room(error):
            raise error
        self._write_trace(f"{item.cell.title} [{item.key}]", error)
        result = self._result(item, Status.FAILED, unexpected(what, error), [], {}, seconds)
        return Done(item, result, samples if samples is None or _why_no_file(samples) is None else None)

    @contextlib.contextmanager
    def _cache_may_fail(self, item: PlannedCell) -> Iterator[None]:
        """A full or read-only cache costs a measurement next time, not this result."""
        try:
            yield
        except Exception as error:
            self._write_log(f"{item.cell.title} could not be kept for later runs: {told(error)}")

    def _result(
        self,
        item: PlannedCell,
        status: Status,
        reason: str | None,
        records: list[Record],
        conditions: dict[str, Any],
        seconds: float,
    ) -> CellResult:
        cell = item.cell
        if not records:
            records = [
                Record(
                    key=item.key,
                    model=cell.model,
                    measure=cell.measure,
                    axes=cell.axes,
                    settings=cell.settings,
                    status=status,
                    reason=reason,
                    model_digest=item.source.digest,
                    fingerprint_class=self._machine.class_id,
                )
            ]
        return CellResult(
            key=item.key,
            model=cell.model,
            measure=cell.measure,
            axes=cell.axes,
            settings=cell.settings,
            status=status,
            reason=reason,
            records=records,
            conditions=conditions | {"threads": item.threads},
            notes=list(item.notes),
            seconds=seconds,
            measured=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _record(self, item: PlannedCell, found: Measurement | Missing, facts: Facts) -> Record:
        return Record(
            key=item.key,
            model=item.cell.model,
            measure=item.cell.measure,
            axes=item.cell.axes,
            settings=item.cell.settings,
            **found.fields(),
            parameters=facts.identity.parameters,
            parameters_non_embedding=facts.identity.parameters_non_embedding,
            model_digest=item.source.digest,
            fingerprint_class=self._machine.class_id,
        )

    def _from_cache(self, item: PlannedCell) -> Done | None:
        """A known result, if it can be read."""
        result = self._cache.load(item.key)
        if result is None:
            return None
        result = result.model_copy(update={"source": "cache"})
        return self._under_own_names(item, Done(item, result, self._cache.samples(item.key)))

    @staticmethod
    def _under_own_names(item: PlannedCell, done: Done) -> Done:
        """A result under this suite's names: the key does not hold what the suite calls the model."""
        own = {"model": item.cell.model, "axes": item.cell.axes}
        records = [record.model_copy(update=own) for record in done.result.records]
        notes = list(dict.fromkeys([*item.notes, *done.result.notes]))
        changed = {**own, "records": records, "samples": None, "notes": notes}
        return Done(item, done.result.model_copy(update=changed), done.samples)

    def _ask(self, worker: Worker, item: PlannedCell, threads: int | None = None) -> Collected | Refused | WorkerDied:
        kills = _oom_kills()
        unfinished = str(self._cache.unfinished(item.key))
        request = Collect(
            *(item.cell.measure, item.cell.settings, item.source, self._library, unfinished, threads, item.read)
        )
        try:
            answer = worker.ask(request, lambda step: self._on_event(CellGoing(item.cell, step.done, step.text)))
        except WorkerDied as died:
            died.out_of_memory = died.exit_code == -signal.SIGKILL and _oom_kills() > kills
            return died
        except Exception as error:  # an answer that can't be read back
            self._write_trace(f"{item.cell.title} [{item.key}]", error)
            worker.end_now()
            return WorkerDied(None, unexpected("reading what the worker process sent", error))
        assert isinstance(answer, Collected | Refused)
        return answer

    def _write_trace(self, what: str, error: BaseException) -> None:
        self._write_log(f"{what}\n{printable(''.join(traceback.format_exception(error)))}")

    def _write_log(self, text: str) -> None:
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"--- {text}\n")


def _together(launches: list[Collected], seconds: float) -> Evidence:
    """The samples of all launches of a cell, numbered from 1."""
    import pandas as pd

    frames = []
    for number, collected in enumerate(launches, start=1):
        frame = pd.DataFrame(collected.samples)
        frame["launch"] = number
        frames.append(frame)
    conditions: dict[str, Any] = {"launches": [collected.conditions for collected in launches]}
    return Evidence(pd.concat(frames, ignore_index=True), launches[-1].identity, conditions, seconds)


def _kernel_that_ran(item: PlannedCell, conditions: dict[str, Any]) -> str | None:
    """The compiled kernel that a cell's launches told of; the planned one where none of them needed to know."""
    told = sorted({launch["kernel"] for launch in conditions["launches"] if launch.get("kernel") is not None})
    return "+".join(told) if told and item.kernel is not None else item.kernel


def _other_kernel(item: PlannedCell, ran: str | None) -> tuple[str, ...]:
    """What is said where another kernel ran than was planned."""
    if ran == item.kernel:
        return ()
    return (f"the compiled kernel {item.kernel} was planned and {ran} ran: the result is kept under what ran",)


def _why_no_file(samples: pd.DataFrame) -> Exception | None:
    """Why samples can't be written as Parquet, such as a column of numbers and texts; None where they can."""
    import pyarrow

    try:
        pyarrow.Table.from_pandas(samples, preserve_index=False)
    except Exception as error:
        return error
    return None


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
