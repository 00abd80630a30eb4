"""Results of cells: records out of what a cell's launches collected, or the reason why there are none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import corpora
from harness.errors import UserError, no_room, told, unexpected
from harness.execution.cell_cache import CellCache, Evidence
from harness.execution.cell_key import key_of
from harness.execution.plan import PlannedCell
from harness.execution.requests import Refused
from harness.execution.worker_log import WorkerLog
from harness.measures.measure import Facts, Measure, notes_of
from harness.measures.noise import is_noise
from harness.measures.registry import MEASURES
from harness.results.conditions import most_taken
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks
from harness.results.provenance import Provenance, exchanged
from harness.results.record import CellResult, Measurement, Missing, Read, Record, Status, whole_numbers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Origin:
    """The run that measures: what its results say of where they come from."""

    run: str
    """Its name."""
    run_id: str
    git: Mapping[str, Any]
    """The `commit` and whether it is `dirty`, of the checkout that it goes on in."""


@dataclass(frozen=True)
class Done:
    """A cell's result with its samples, ready for the journal."""

    item: PlannedCell
    result: CellResult
    samples: pd.DataFrame | Path | None


class CellResults:
    """Makes the results of one run's cells, and keeps those that ended well for later runs."""

    def __init__(self, run: Origin, machine: Fingerprint, cache: CellCache, log: WorkerLog) -> None:
        self._run = run
        self._machine = machine
        self._cache = cache
        self._log = log

    def known(self, item: PlannedCell) -> Done | None:
        """The result that an earlier run left, if it can be read."""
        result = self._cache.load(item.key)
        if result is None:
            return None
        result = result.model_copy(update={"source": "cache"})
        return under_own_names(item, Done(item, result, self._cache.samples(item.key)))

    def refused(self, item: PlannedCell, refused: Refused, seconds: float) -> Done:
        """The result of a cell that gave no samples. seconds: wall time of trying."""
        if refused.trace:
            self._log.write(f"{_title(item)}\n{refused.trace}")
        return Done(item, self._result(item, refused.status, refused.reason, [], {}, seconds), None)

    def summed_up(self, item: PlannedCell, evidence: Evidence, peaks: Peaks | None) -> Done:
        """The result of a cell from all its samples. Whatever goes wrong here is this cell's failure alone, and its
        samples are kept, so that the next try sums them up again without the model."""
        if evidence.provenance is None:
            evidence = replace(evidence, provenance=self._provenance(evidence))
        ran = _kernel_that_ran(item, evidence.conditions)
        other = (*_other_machine(evidence.conditions), *_other_code(evidence))
        told = (*item.notes, *_other_kernel(item, ran), *other)
        planned, item = item, replace(item, key=key_of(item.rest, ran), notes=told)
        facts = Facts(identity=evidence.identity, peaks=peaks)
        try:
            result, notes = self._of(item, evidence, facts, ran)
        except Exception as error:
            if evidence.failed is None:  # a later try has all launches
                with self._cache_may_fail(item):
                    self._cache.keep(planned.key, evidence)
            return self._failed(planned, error, evidence)
        samples: pd.DataFrame | None = evidence.samples
        if (unstorable := _why_no_file(evidence.samples)) is not None:
            self._log.write_trace(_title(item), unstorable)
            lost = Missing(reason=unexpected("storing the samples", unstorable))
            records = [*result.records, self._record(item, lost, facts, evidence)]
            result = result.model_copy(update={"records": records})
            samples = None
        if (failed := evidence.failed) is not None:
            if failed.trace:
                self._log.write(f"{_title(item)}\n{failed.trace}")
            lacking = self._record(item, Missing(reason=failed.reason), facts, evidence)
            result = result.model_copy(update={"records": [*result.records, lacking]})
        if result.whole:  # what failed in part is tried again
            with self._cache_may_fail(item):
                if not is_noise(result) and not other:  # what the plan told is told again by the next plan
                    self._cache.store(result.model_copy(update={"notes": notes}), samples)
                self._cache.forget(planned.key)
        own = {"notes": [*item.notes, *notes], "planned": planned.key if planned.key != item.key else None}
        return Done(planned, result.model_copy(update=own), samples)

    def _of(self, item: PlannedCell, evidence: Evidence, facts: Facts, ran: str | None) -> tuple[CellResult, list[str]]:
        """The result of a cell that ended well, and what its texts, its model and its samples have to say."""
        measure, settings = MEASURES[item.cell.measure], item.cell.typed
        found = measure.summarize(evidence.samples, settings, facts)
        if (odd := _odd(measure, found)) is not None:
            raise UserError(f"the measure `{measure.name}` gave {odd}")
        resolved = whole_numbers(measure.resolved(evidence.samples))
        records = [self._record(item, one, facts, evidence).model_copy(update={"resolved": resolved}) for one in found]
        share = most_taken(evidence.conditions["launches"], self._machine.cores)
        conditions = evidence.conditions | {"others_share": share, "kernel": ran}
        result = self._result(item, Status.OK, None, records, conditions, evidence.seconds, evidence.provenance)
        of_texts = [note for text in measure.texts(settings) for note in corpora.notes(text)]
        of_model = [f"the model: {note}" for note in facts.identity.notes]
        notes = list(dict.fromkeys([*of_texts, *of_model, *notes_of(evidence.samples)]))
        return result.model_copy(update={"resolved": resolved, "stored": facts.identity.stored}), notes

    def _failed(self, item: PlannedCell, error: Exception, evidence: Evidence) -> Done:
        """A cell whose samples are there and that failed all the same."""
        if no_room(error):
            raise error
        self._log.write_trace(_title(item), error)
        reason = unexpected("summing up the samples", error)
        result = self._result(item, Status.FAILED, reason, [], {}, evidence.seconds, evidence.provenance)
        return Done(item, result, evidence.samples if _why_no_file(evidence.samples) is None else None)

    @contextlib.contextmanager
    def _cache_may_fail(self, item: PlannedCell) -> Iterator[None]:
        """A full or read-only cache costs a measurement next time, not this result."""
        try:
            yield
        except Exception as error:
            self._log.write(f"{item.cell.title} could not be kept for later runs: {told(error)}")

    def _result(
        self,
        item: PlannedCell,
        status: Status,
        reason: str | None,
        records: list[Record],
        conditions: dict[str, Any],
        seconds: float,
        provenance: Provenance | None = None,
    ) -> CellResult:
        provenance = provenance or self._provenance(None)
        if not records:
            records = [self._one(item, {"status": status, "reason": reason}, self._machine.class_id)]
        return CellResult(
            key=item.key,
            model=item.cell.model,
            measure=item.cell.measure,
            axes=item.cell.axes,
            settings=item.cell.settings,
            status=status,
            reason=reason,
            records=records,
            conditions=conditions | {"threads": item.threads},
            notes=list(item.notes),
            seconds=seconds,
            measured=provenance.time,
            provenance=provenance,
            read=tuple(Read(kind=kind, name=name, digest=digest) for kind, name, digest in item.read),
        )

    def _provenance(self, evidence: Evidence | None) -> Provenance:
        """Of what this run has just measured; of what it tried and could not, no packages."""
        return Provenance(
            run=self._run.run,
            run_id=self._run.run_id,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=self._run.git.get("commit"),
            dirty=self._run.git.get("dirty"),
            packages=None if evidence is None else evidence.packages,
        )

    def _record(self, item: PlannedCell, found: Measurement | Missing, facts: Facts, evidence: Evidence) -> Record:
        of_model = {
            "parameters": facts.identity.parameters or None,
            "parameters_non_embedding": facts.identity.parameters_non_embedding or None,
        }
        measured_on = _class_of(evidence.conditions) or self._machine.class_id
        return self._one(item, found.fields() | of_model, measured_on)

    def _one(self, item: PlannedCell, found: dict[str, Any], machine_class: str) -> Record:
        """A record of a cell with what was found, and on what class of machine."""
        return Record(
            key=item.key,
            model=item.cell.model,
            measure=item.cell.measure,
            axes=item.cell.axes,
            settings=item.cell.settings,
            model_digest=item.source.digest,
            fingerprint_class=machine_class,
            **found,
        )


def _odd(measure: Measure, found: Sequence[Measurement | Missing]) -> str | None:
    """What no measure may give: an undeclared metric, one value twice, an interval of what is counted or one whose ends
    are swapped."""
    given = set()
    for one in found:
        if isinstance(one, Missing):
            continue
        which = f"{one.metric.name}{f' of {one.part}' if one.part else ''}"
        if one.metric not in measure.metrics and not measure.undeclared_metrics:
            return f"the metric {which}, which it doesn't declare so"
        if which in given:
            return f"{which} twice"
        if one.metric.counted and (one.low, one.high) != (None, None):
            return f"{which} with an interval, which it declares as counted"
        if one.low is not None and one.high is not None and one.low > one.high:
            return f"{which} with an interval from {one.low} up to {one.high}"
        given.add(which)
    return None


def under_own_names(item: PlannedCell, done: Done) -> Done:
    """A result under this suite's names: the key does not hold what the suite calls the model."""
    own = {"model": item.cell.model, "axes": item.cell.axes}
    records = [record.model_copy(update=own) for record in done.result.records]
    notes = list(dict.fromkeys([*item.notes, *done.result.notes]))
    changed = {**own, "records": records, "samples": None, "notes": notes}
    return Done(item, done.result.model_copy(update=changed), done.samples)


def _title(item: PlannedCell) -> str:
    """A cell as the log names it."""
    return f"{item.cell.title} [{item.key}]"


def _kernel_that_ran(item: PlannedCell, conditions: dict[str, Any]) -> str | None:
    """The compiled kernel that a cell's launches told of; the planned one where none of them needed to know."""
    told = sorted({launch["kernel"] for launch in conditions["launches"] if launch.get("kernel") is not None})
    return "+".join(told) if told and item.kernel is not None else item.kernel


def _other_kernel(item: PlannedCell, ran: str | None) -> tuple[str, ...]:
    """What is said where another kernel ran than was planned."""
    if ran == item.kernel:
        return ()
    return (f"the compiled kernel {item.kernel} was planned and {ran} ran: the result is kept under what ran",)


def _class_of(conditions: dict[str, Any]) -> str:
    """The class of the machine that a cell's launches ran on, as they say; empty where an earlier version kept them."""
    return "+".join(sorted({launch["class"] for launch in conditions["launches"] if "class" in launch}))


def _other_machine(conditions: dict[str, Any]) -> tuple[str, ...]:
    """What is said where a worker ran on another machine, or with other libraries, than the key tells of."""
    other = dict.fromkeys(difference for launch in conditions["launches"] for difference in launch.get("other", []))
    if not other:
        return ()
    return (
        f"planned for another machine than it was measured on ({'; '.join(other)}): the result is not kept for later "
        "runs",
    )


def _other_code(evidence: Evidence) -> tuple[str, ...]:
    """What is said where launches of a cell ran different code."""
    packages = evidence.provenance and evidence.provenance.packages
    if not packages or not (names := exchanged(packages)):
        return ()
    changed = f"the code changed while it was measured ({', '.join(names)})"
    return (f"{changed}: its launches are of different code, and the result is not kept for later runs",)


def _why_no_file(samples: pd.DataFrame) -> Exception | None:
    """Why samples can't be written as Parquet, such as a column of numbers and texts; None where they can."""
    import pyarrow

    try:
        pyarrow.Table.from_pandas(samples, preserve_index=False)
    except Exception as error:
        return error
    return None
