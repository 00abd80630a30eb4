"""The series of a metric: its values by commit, where they break, and where they step.

for one in series(read_history(), "decode_rate", {"model": "micro"}).series:
    one.table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, shown
from harness.evidence.selection import Where, selects_row, why_no_row
from harness.gate.judgment import cell_words
from harness.history.commits import Repository, repository
from harness.history.folder import History
from harness.history.lines import Break, Line, lines_of, settings_of
from harness.history.order import Measured, Order, order_of
from harness.history.point import Point, key_of, points_of
from harness.history.steps import Step, steps_of
from harness.spelling import nearest

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
    steps: tuple[Step, ...]
    edits: tuple[str, ...] = ()
    """Edits of the suite that changed nothing of this cell, a sentence each."""

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
                **{"kind": self.kind, "unit": self.unit, "machine_class": self.machine_class, "pinned": self.pinned},
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
    where: Where | None = None,
    *,
    suite: str | None = None,
    machine: str | None = None,
    branch: str | None = None,
    folder: Path | None = None,
) -> Found:
    """The series of a metric, those with steps of their own kind first: ratios, values, absolute times.

    metric: its name, or with its version (`bits_per_byte@2`). where: of model, measure, axes, settings and part.
    machine: the beginning of a machine's class. branch: whose history it is. folder: in the project's repository (the
    working folder). Raises UserError for what the history has not.
    """
    rows = _rows(history, metric, suite, machine)
    wanted = dict(where or {})
    chosen = [row for row in rows if selects_row(wanted, coordinates(row))]
    if not chosen:
        raise UserError(why_no_row(wanted, [coordinates(row) for row in rows]), place="--where")
    repo = repository(folder, branch)
    everything = history.table.select(["commit", "run_id", "parents", "branch", "sequence", "commit_time"]).to_pylist()
    order = order_of(_measured(everything), repo, branch)
    chosen += _failures(history, chosen)
    for row in chosen:
        row["key"] = key_of(row)
    places = {key: number for number, key in enumerate(order.keys)}
    found = [_series(line, metric, order, places) for line in lines_of(chosen, places)]
    found.sort(key=lambda one: (one.is_absolute_time, one.kind != "ratio"))
    return Found(tuple(found), order, (*order.notes, *_namesakes(history, suite, places)), repo)


def coordinates(row: Mapping[str, Any]) -> dict[str, Any]:
    """Model, measure, axes, settings and part of a row, as `where` names them."""
    own = {"model": row["model"], "measure": row["measure"], "part": row["part"]}
    return {name: value for name, value in own.items() if value is not None} | settings_of(row)


def _rows(history: History, metric: str, suite: str | None, machine: str | None) -> list[dict[str, Any]]:
    """The rows of a metric. Raises UserError where there are none."""
    import pyarrow.compute as pc

    name, _, version = metric.partition("@")
    table = history.table
    if suite is not None:
        if not len(mine := table.filter(pc.field("suite") == suite)):
            known = sorted(set(table["suite"].to_pylist()))
            raise UserError(f"no suite '{shown(suite)}' here{nearest(suite, known)}; {_some(known)}", place="--suite")
        table = mine
    if machine is not None:
        if not len(mine := table.filter(pc.starts_with(pc.field("machine_class"), machine))):
            known = sorted(set(table["machine_class"].to_pylist()))
            raise UserError(f"no machine class '{shown(machine)}' here; {_some(known)}", place="--machine")
        table = mine
    known = sorted({one for one in table["metric"].to_pylist() if one is not None})
    table = table.filter(pc.field("metric") == name)
    if version:
        table = table.filter(pc.field("metric_version") == int(version)) if version.isdigit() else table.slice(0, 0)
    if not len(table):
        raise UserError(f"no metric '{shown(metric)}' in this history{nearest(metric, known)}; {_some(known)}")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are {', '.join(names[:12])}{more}" if names else "there are none"


def _measured(rows: Sequence[Mapping[str, Any]]) -> list[Measured]:
    """The commits of rows."""
    found: dict[str, Measured] = {}
    branches: dict[str, set[str]] = {}
    for row in sorted(rows, key=lambda row: row["sequence"], reverse=True):
        key = key_of(dict(row))
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


def _failures(history: History, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the same cells that have no numbers: a gap in each of their series, with its reason."""
    import pyarrow.compute as pc

    asked = {(row["suite"], row["cell"]): row for row in rows}
    empty = history.table.filter(pc.field("metric").is_null() & (pc.field("kind") == "value")).to_pylist()
    parts = {(row["suite"], row["cell"], row["metric"], row["part"]) for row in rows if row["kind"] == "value"}
    names = ("metric_version", "unit", "definition", "depends_on", "direction")
    return [
        row | {"metric": metric, "part": part} | {name: asked[suite, cell][name] for name in names}
        for row in empty
        for suite, cell, metric, part in sorted(parts, key=str)
        if (row["suite"], row["cell"]) == (suite, cell)
    ]


def _series(line: Line, metric: str, order: Order, places: Mapping[str, int]) -> Series:
    rows = sorted((row for rows in line.variants for row in rows), key=lambda row: row["sequence"])
    points = points_of(rows, order.beside, dict(order.apart))
    inside = sorted((one for one in points if one.key in places), key=lambda one: (places[one.key], one.dirty))
    last = line.last
    is_time = last["kind"] == "value" and last["depends_on"] == "time"
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
        steps=() if is_time else steps_of(inside, line.breaks, ratios=last["kind"] == "ratio"),
        edits=tuple(_edits(line, places)),
    )


def _edits(line: Line, places: Mapping[str, int]) -> list[str]:
    told = {one.key for one in line.breaks}
    rows = sorted(
        (row for rows in line.variants for row in rows if row["key"] in places), key=lambda row: places[row["key"]]
    )
    found = []
    for before, after in zip(rows, rows[1:], strict=False):
        if before["suite_hash"] != after["suite_hash"] and after["key"] not in told:
            found.append(f"the suite was edited at {after['key'][:10]}, which changed nothing of this cell")
    return found


def _namesakes(history: History, suite: str | None, places: Mapping[str, int]) -> list[str]:
    """Suites of one name that are measured in turn: not one suite that was edited."""
    table = history.table.select(["suite", "suite_hash", "model", "commit", "run_id"]).to_pylist()
    spans: dict[str, dict[str, tuple[set[int], set[str]]]] = {}
    for row in table:
        place = places.get(key_of(row))
        if row["suite_hash"] is not None and place is not None and suite in (None, row["suite"]):
            at, models = spans.setdefault(row["suite"], {}).setdefault(row["suite_hash"], (set(), set()))
            at.add(place)
            models.update({row["model"]} - {None})
    notes = []
    for name, hashes in spans.items():
        for (one, (at, models)), (other, (there, others)) in _pairs(list(hashes.items())):
            if models != others and min(at) <= max(there) and min(there) <= max(at):
                told = f"{one[:8]} with {', '.join(sorted(models)) or 'no model'}, {other[:8]} with {', '.join(sorted(others))}"
                notes.append(
                    f"two suites are called '{name}' ({told}): they are kept apart where they ask other things"
                )
                break
    return notes


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    return [(one, other) for place, one in enumerate(items) for other in items[place + 1 :]]
