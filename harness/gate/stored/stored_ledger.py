"""The ledger of stored runs: what the times of identical code differ by when two runs are made one after the other.

Whenever `gate` meets two runs of identical code, the differences of their times are kept here, one line for each timed
metric of a cell. They are all that is known of how far two stored runs may lie apart for no reason, and decide when a
difference is more than that (`harness.statistics.exchangeable`). For that a run is in one pair alone, and a pair is
believed of runs alone that are no further apart in time: a machine changes more in a week than in a minute, and after a
day not much more.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.comparison.comparability import machine_class
from harness.comparison.definition import definition_hash
from harness.errors import UserError, told
from harness.evidence.selection import Point
from harness.notice import notice
from harness.results.run import Run

NAME = "times of identical code in stored runs"
A_DAY = 86_400.0
"""Seconds between two runs beyond which longer is not counted as longer."""


@dataclass(frozen=True)
class StoredPair:
    """One timed metric of one cell in two runs of identical code."""

    time: str
    machine: str
    """The machine class."""
    definition: str
    """See `definition_hash`."""
    metric: str
    """With its version, and the part of the cell where it has several."""
    difference: float
    """Logarithm of the ratio of times, head over base."""
    base: str
    """The run (its id)."""
    head: str
    apart: float
    """Seconds between the two runs' beginnings."""
    launches: int
    """Of the run that has fewer."""

    def is_like(self, apart: float, launches: int) -> bool:
        """Whether it tells of two runs that began `apart` seconds after each other, with so many launches or more."""
        return self.apart >= min(apart, A_DAY) and self.launches <= launches


def run_id(run: Run) -> str:
    """What names a run, wherever its folder lies."""
    return run.manifest.id or f"{run.manifest.run} {run.manifest.started}"


def seconds_apart(base: Run, head: Run) -> float:
    """Between the beginnings of two runs; a day where one does not say when it began."""
    try:
        began = [datetime.fromisoformat(run.manifest.started) for run in (base, head)]
        return abs((began[1] - began[0]).total_seconds())
    except (ValueError, TypeError):
        return A_DAY


def metric_name(point: Point) -> str:
    """`tpot@1`, with the part of the cell."""
    return f"{point.record.metric_id}" + (f" {point.record.part}" if point.record.part else "")


def pair_of(base: Point, head: Point, difference: float) -> StoredPair:
    """What the ledger keeps of one timed metric. difference: logarithm of the ratio of times."""
    return StoredPair(
        time=head.run.manifest.started,
        machine=machine_of(base),
        definition=definition_hash(base.cell),
        metric=metric_name(base),
        difference=difference,
        base=run_id(base.run),
        head=run_id(head.run),
        apart=seconds_apart(base.run, head.run),
        launches=min(base.record.n or 0, head.record.n or 0),
    )


def machine_of(point: Point) -> str:
    """The class of the machine that a record was measured on, whatever software ran there; where its run doesn't tell
    the hardware, with its software."""
    return machine_class(point) or point.record.fingerprint_class or "unknown"


def keep(pairs: list[StoredPair], folder: Path | None = None) -> int:
    """Add pairs, but for those of a run that is in the ledger already with the same metric; says how many were added. A
    cache that is full or may only be read keeps nothing."""
    added = 0
    known: dict[str, list[StoredPair]] = {}
    for pair in pairs:
        there = known.setdefault(pair.machine, entries(pair.machine, folder))
        if any(_is_shared(pair, other) for other in there):
            continue
        line = kept_file.seal(strict_json.dumps(asdict(pair)), NAME) + "\n"
        try:
            descriptor = os.open(_file(pair.machine, folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line.encode())  # at once: two gates may end together
            finally:
                os.close(descriptor)
        except (OSError, UserError) as error:
            notice(f"the times of identical code could not be kept ({told(error)})")
            return added
        there.append(pair)
        added += 1
    return added


def entries(machine: str, folder: Path | None = None) -> list[StoredPair]:
    """All pairs of a machine class, oldest first; damaged lines are left out and told of."""
    try:
        path = _file(machine, folder)
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UserError) as error:
        notice(f"the times of identical code could not be read ({told(error)})")
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(StoredPair(**strict_json.loads(kept_file.unseal(line, NAME))))
        except (kept_file.Damaged, TypeError, KeyError) as error:
            notice(f"{path}:{number}: {error}; this line is left out")
    return found


def alike(base: Point, head: Point, kept: list[StoredPair]) -> list[float]:
    """The differences of identical code that tell of these two: the same metric of the same cell, of runs as far apart
    or further and of no more launches, and of no run that is one of these."""
    apart = seconds_apart(base.run, head.run)
    launches = min(base.record.n or 0, head.record.n or 0)
    runs = {run_id(base.run), run_id(head.run)}
    return [
        pair.difference
        for pair in kept
        if (pair.definition, pair.metric) == (definition_hash(base.cell), metric_name(base))
        and pair.is_like(apart, launches)
        and not runs & {pair.base, pair.head}
    ]


def _is_shared(pair: StoredPair, other: StoredPair) -> bool:
    same = (pair.definition, pair.metric) == (other.definition, other.metric)
    return same and bool({pair.base, pair.head} & {other.base, other.head})


def _file(machine: str, folder: Path | None) -> Path:
    return (folder or cache_folder("identical_runs")) / f"{machine}.jsonl"
