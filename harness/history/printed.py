"""Series in the terminal: a plot, the last points as a table, steps and breaks as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import inert
from harness.evidence.value_text import text
from harness.history.bisect import Bisection
from harness.history.chosen_rows import cells_of
from harness.history.folder import History
from harness.history.plot import KEY, plot
from harness.history.point import Point
from harness.history.series import Found, Series
from harness.history.steps import Step
from harness.number import NOTHING, with_interval
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20
"""Points in a table where nobody says how many."""
MOST_VALUES = 8
"""Values of a setting that `list` names."""


def print_found(found: Found, console: Console, last: int | None) -> None:
    """All series, what is to be said of their order last. last: so many points of each."""
    for one in found.series:
        print_series(one, found, console, last)
    if any(one.points for one in found.series):
        console.print(f"\n{KEY}", style="dim")
    for note in found.notes:
        console.print(f"note: {inert(note)}")


def print_series(series: Series, found: Found, console: Console, last: int | None) -> None:
    """One series."""
    console.print(f"\n{inert(series.title)}", style="bold")
    console.print(f"  {inert(caption(series))}", style="dim")
    points = series.points if last is None else series.points[-last:]
    for line in plot(points, series.breaks, series.steps, series.unit_of_all, console.width - 4):
        console.print(f"  {line}", soft_wrap=True)
    commits = [one.commit for one in (*points, *series.apart) if one.commit is not None]
    subjects = found.repository.subjects(commits) if found.repository is not None else {}
    shown = points if last is not None else points[-SHOWN:]
    if shown:
        more = f"the last {len(shown)} of {len(series.points)} points" if len(shown) < len(series.points) else ""
        print_table(_table("", shown, series, subjects, more), console)
    if series.apart:
        title = f"not in the history of {found.order.branch}" if found.order.branch else "apart"
        print_table(_table(title, series.apart[-SHOWN:], series, subjects, ""), console)
    for step in series.steps:
        console.print(f"  {inert(step_words(series, step, subjects))}")
    for one in series.breaks:
        console.print(f"  break at {inert(one.key[:10])}: {inert(one.why)}")
    for edit in series.edits[-3:]:
        console.print(f"  {inert(edit)}", style="dim")


def caption(series: Series) -> str:
    """What the numbers are, in a line."""
    told = [
        "time of a commit over time of the pinned one, in lockstep: above 1 is slower" if series.pinned else "",
        "time of arm b over time of arm a: above 1 is slower" if series.kind == "ratio" and not series.pinned else "",
        "absolute times, of days on which machines are busier and less: no steps are looked for"
        * series.is_absolute_time,
        f"{series.direction} is better" if series.kind == "value" and series.direction != "none" else "",
        f"machine class {series.machine_class}" if series.machine_class else "",
        "a point of several runs is their median, its interval from the smallest to the largest"
        if any(len(one.values) > 1 for one in series.points)
        else "",
    ]
    return "; ".join(filter(None, told))


def step_words(series: Series, step: Step, subjects: dict[str, str] | None = None) -> str:
    """A step as a sentence."""
    share = f" ({100 * (step.after / step.before - 1):+.3g} %)" if step.before else ""
    unit = series.unit_at(step.key)
    levels = f"{with_interval(step.before, None, None, unit)} to {with_interval(step.after, None, None, unit)}"
    way = ""
    if series.direction in ("lower", "higher"):
        way = ", worse" if (step.after > step.before) == (series.direction == "lower") else ", better"
    subject = (subjects or {}).get(step.key)
    between = f", between {step.earliest[:10]} and {step.latest[:10]}" if step.earliest != step.latest else ""
    return f"step at {step.key[:10]}{f' ({subject})' if subject else ''}: {levels}{share}{way}{between}"


def print_bisection(found: Bisection, console: Console) -> None:
    """The commits between two points, and the commands."""
    series = found.series
    columns = (Column("commit"), Column("measured", numeric=True), Column("subject"), Column("notes"))
    rows = []
    for one in found.commits:
        point = one.point
        value = NOTHING if point is None else with_interval(point.value, point.low, point.high, point.unit)
        marks = () if point is None else point.marks
        rows.append(Row((one.commit[:10], value, one.subject[:70], "; ".join(marks))))
    measured = sum(one.point is not None for one in found.commits)
    caption = f"{len(rows)} after {found.good[:10]}, up to {found.bad[:10]}; {measured} of them measured"
    print_table(Table(series.title, columns, tuple(rows), caption), console)
    for note in found.notes:
        console.print(f"note: {inert(note)}")
    console.print("\nIn a clean working folder:\n")
    for command in found.commands:
        console.print(f"  {inert(command)}", soft_wrap=True)


def print_list(history: History, console: Console) -> None:
    """What a history can be asked for."""
    for table in tables_of(history):
        print_table(table, console)


def tables_of(history: History) -> list[Table]:
    """The metrics, and what `--where` may say of them."""
    rows = history.rows
    known = rows[rows["metric"].notna()]
    columns = (
        *map(Column, ("metric", "kind", "suite")),
        *(Column(name, numeric=True) for name in ("cells", "commits")),
    )
    made = []
    for (metric, kind, suite), some in known.groupby(["metric", "kind", "suite"], sort=True):
        cells = some[["cell", "part"]].drop_duplicates()
        commits = some["commit"].fillna(some["run_id"]).nunique()
        told = "absolute times" if kind == "value" and (some["depends_on"] == "time").any() else str(kind)
        made.append(Row((str(metric), told, str(suite), str(len(cells)), str(commits))))
    metrics = Table("Metrics", columns, tuple(made), "harness history METRIC")
    values: dict[str, dict[str, None]] = {}
    for at in cells_of(history.table):
        for name, value in at.items():
            values.setdefault(name, {})[text(value)] = None
    told_of = tuple(Row((name, _some(list(there)))) for name, there in values.items())
    wheres = Table("Cells", (Column("name"), Column("values")), told_of, "harness history METRIC --where name=value")
    machines = ", ".join(sorted(set(rows["machine_class"])))
    runs = rows["run_id"].nunique()
    commits = rows["commit"].nunique()
    of = f"{runs} run{'' if runs == 1 else 's'} of {commits} commit{'' if commits == 1 else 's'}"
    caption = f"{of}, on machines of class {machines}"
    return [Table(metrics.title, metrics.columns, metrics.rows, f"{metrics.caption}; {caption}"), wheres]


def _some(values: list[str]) -> str:
    more = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    return ", ".join(values[:MOST_VALUES]) + more


def _table(title: str, points: Sequence[Point], series: Series, subjects: dict[str, str], more: str) -> Table:
    columns = (Column("commit"), Column("measured"), Column("value", numeric=True), Column("subject"), Column("notes"))
    steps = {one.key for one in series.steps}
    breaks = {one.key for one in series.breaks}
    rows = []
    for point in points:
        when = next((one.time for one in point.values if one.time is not None), None)
        notes = [*point.marks, "step" if point.key in steps else "", "break" if point.key in breaks else ""]
        rows.append(
            Row(
                (
                    point.name,
                    f"{when:%Y-%m-%d %H:%M}" if when is not None else NOTHING,
                    with_interval(point.value, point.low, point.high, point.unit),
                    subjects.get(point.commit or "", "")[:60],
                    "; ".join(filter(None, notes)),
                )
            )
        )
    return Table(title, columns, tuple(rows), more)
