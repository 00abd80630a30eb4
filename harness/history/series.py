"""The series of a metric: its values by commit, where they break, and where they step.

for one in series(read_history(), "decode_rate", {"model": "micro"}).series:
    one.table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.evidence.selection import Where
from harness.evidence.where_text import where_among
from harness.gate.judgment import cell_words
from harness.history.chosen_rows import (
    cells_of,
    chosen_rows,
    coordinates,
    failures_beside,
    first_of_each,
    rows_of_metric,
)
from harness.history.commits import Repository, repository
from harness.history.folder import History
from harness.history.lines import Break, Line, lines_of
from harness.history.order import Measured, Order, order_of
from harness.history.point import Point, key_of, points_of
from harness.history.steps import Step, steps_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Series:
    """One metric of one cell by commit."""

    metric: str
    suite: str
    at: Mapping[str, Any]
    """Model, measure, axes and settings, and part, as they are now."""
    kind: str
    """`value`, or `ratio` to the commit `pinned`."""
    unit: str | None
    """As it is now; behind a break points may have another one, which is theirs."""
    direction: str
    definition: str | None
    depends_on: str | None
    machine_class: str | None
    """None where the machine doesn't count."""
    pinned: str | None
    points: tuple[Point, ...]
    """In the order of commits."""
    apart: tuple[Point, ...]
    """Not in the history of the branch."""
    breaks: tuple[Break, ...]
    edits: tuple[str, ...] = ()
    """Edits of the suite that changed nothing of this cell, a sentence each."""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Where its level changed for good; none of an absolute time. Takes some tenths of a second for 500 points."""
        if self.is_absolute_time:
            return ()
        return steps_of(self.points, self.breaks, ratios=self.kind == "ratio")

    def last(self, count: int | None) -> Series:
        """The same with its last points alone, and the steps and breaks among them, found in all of it."""
        if count is None or count >= len(self.points):
            return self
        points = self.points[-count:]
        keys = {one.key for one in points}
        made = replace(self, points=points, breaks=tuple(one for one in self.breaks if one.key in keys))
        made.__dict__["steps"] = tuple(one for one in self.steps if one.key in keys)
        return made

    @property
    def unit_of_all(self) -> str | None:
        """The unit that all points share; None where they have several."""
        return self.unit if all(one.unit == self.unit for one in self.points) else None

    def unit_at(self, key: str) -> str | None:
        """The unit of the points of a commit."""
        return next((one.unit for one in self.points if one.key == key), self.unit)

    @property
    def is_absolute_time(self) -> bool:
        """Whether it is a time or a rate by itself: two of two days compare what else the machine did, so it has no
        steps."""
        return self.kind == "value" and self.depends_on == "time"

    @property
    def title(self) -> str:
        """`time, call softmax: ratio to 09d56adf6e, suite project`."""
        words = cell_words(dict(self.at)) or str(self.at.get("measure") or "")
        of = f": ratio to {self.pinned[:10]}" if self.pinned else ": ratio of two arms" if self.kind == "ratio" else ""
        return f"{self.metric}{f', {words}' if words else ''}{of}, suite {self.suite}"

    @property
    def table(self) -> pd.DataFrame:
        """A row for each value of each point: the order, the commit, the value and what is said of it."""
        import pandas as pd

        breaks = {one.key: one.why for one in self.breaks}
        steps = {one.key for one in self.steps}
        rows = [
            {
                **{"metric": self.metric, "suite": self.suite, **{f"at_{name}": at for name, at in self.at.items()}},
                **{"kind": self.kind, "unit": one.unit, "machine_class": self.machine_class, "pinned": self.pinned},
                **{"place": place, "commit": point.commit, "branch": point.branch, "dirty": point.dirty},
                **{"apart": point.why_apart, "beside": point.beside, "break": breaks.get(point.key)},
                **{"step": point.key in steps, "run": one.run, "time": one.time, "value": one.value, "low": one.low},
                **{"high": one.high, "launches": one.launches, "source": one.source, "status": one.status},
                "reason": one.reason,
            }
            for place, point in [*enumerate(self.points), *((None, point) for point in self.apart)]
            for one in point.values
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class Found:
    """The series that were asked for."""

    series: tuple[Series, ...]
    order: Order
    notes: tuple[str, ...]
    """What is not known of the order, two suites of one name: a sentence each."""
    repository: Repository | None = None


def series(
    history: History,
    metric: str,
    where: Where | Sequence[str] = (),
    *,
    suite: str | None = None,
    machine: str | None = None,
    branch: str | None = None,
    folder: str | Path | None = None,
) -> Found:
    """The series of a metric, those with steps of their own kind first: ratios, values, absolute times.

    metric: its name, or with its version (`bits_per_byte@2`). where: of model, measure, axes, settings and part, a
    mapping or as it is typed (`["precision=int8"]`). machine: the beginning of a machine's class. branch: whose history
    it is. folder: in the project's repository (the working folder). Raises UserError for what the history has not.
    """
    if not isinstance(where, Mapping):
        where = where_among(where, cells_of(history.table), "where") if where else {}
    chosen = chosen_rows(rows_of_metric(history, metric, suite, machine), where)
    repo = repository(None if folder is None else Path(folder), branch)
    order = order_of(measured_commits(history), repo, branch)
    chosen += failures_beside(history, chosen)
    for row in chosen:
        row["key"] = key_of(row)
    places = {key: number for number, key in enumerate(order.keys)}
    found = [series_of_line(line, metric, order, places) for line in lines_of(chosen, places)]
    found.sort(key=lambda one: (one.is_absolute_time, one.kind != "ratio"))
    return Found(tuple(found), order, (*order.notes, *_namesakes(history, suite, places)), repo)


def measured_commits(history: History) -> list[Measured]:
    """The commits that the history has rows of."""
    table = history.table.select(["commit", "run_id", "parents", "branch", "sequence", "commit_time"])
    rows = first_of_each(table, ("run_id", "commit"))
    found: dict[str, Measured] = {}
    branches: dict[str, set[str]] = {}
    for row in sorted(rows, key=lambda row: row["sequence"], reverse=True):
        key = key_of(row)
        branches.setdefault(key, set()).update({row["branch"]} - {None})
        known = found.get(key)
        found[key] = Measured(
            key=key,
            is_commit=row["commit"] is not None,
            parents=tuple(row["parents"] or (known.parents if known else ())),
            sequence=row["sequence"],
            commit_time=row["commit_time"] or (known.commit_time if known else None),
        )
    return [Measured(**vars(one) | {"branches": frozenset(branches[key])}) for key, one in found.items()]


def series_of_line(line: Line, metric: str, order: Order, places: Mapping[str, int]) -> Series:
    """The series of a line of one metric. places: by key where it stands in the order."""
    rows = sorted((row for rows in line.variants for row in rows), key=lambda row: row["sequence"])
    points = points_of(rows, order.beside, dict(order.apart))
    inside = sorted((one for one in points if one.key in places), key=lambda one: (places[one.key], one.dirty))
    last = line.last
    return Series(
        metric=metric,
        suite=last["suite"],
        at=coordinates(last),
        kind=last["kind"],
        unit=last["unit"],
        direction=last["direction"],
        definition=last["definition"],
        depends_on=last["depends_on"],
        machine_class=last["machine_class"] if last["depends_on"] is not None else None,
        pinned=last["pinned"],
        points=tuple(inside),
        apart=tuple(one for one in points if one.key not in places),
        breaks=line.breaks,
        edits=tuple(_edits(line, places)),
    )


def _edits(line: Line, places: Mapping[str, int]) -> list[str]:
    told = {one.key for one in line.breaks}
    rows = sorted(
        (row for rows in line.variants for row in rows if row["key"] in places), key=lambda row: places[row["key"]]
    )
    found = []
    for before, after in pairwise(rows):
        if before["suite_hash"] != after["suite_hash"] and after["key"] not in told:
            found.append(f"the suite was edited at {after['key'][:10]}, which changed nothing of this cell")
    return found


def _namesakes(history: History, suite: str | None, places: Mapping[str, int]) -> list[str]:
    """Suites of one name that are measured in turn: not one suite that was edited."""
    table = history.table.select(["suite", "suite_hash", "model", "commit", "run_id"])
    spans: dict[str, dict[str, tuple[set[int], set[str]]]] = {}
    for row in first_of_each(table, ("run_id", "model")):
        place = places.get(key_of(row))
        if row["suite_hash"] is not None and place is not None and suite in (None, row["suite"]):
            at, models = spans.setdefault(row["suite"], {}).setdefault(row["suite_hash"], (set(), set()))
            at.add(place)
            models.update({row["model"]} - {None})
    notes = []
    for name, hashes in spans.items():
        for (one, (at, models)), (other, (there, others)) in combinations(hashes.items(), 2):
            if models != others and min(at) <= max(there) and min(there) <= max(at):
                both = ((one, models), (other, others))
                told = " and ".join(f"{which[:8]} with {', '.join(sorted(of)) or 'no model'}" for which, of in both)
                notes.append(f"two suites are called '{name}' ({told}): what they ask differently is kept apart")
                break
    return notes
