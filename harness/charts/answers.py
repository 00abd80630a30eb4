"""Right answers by task: over the models' sizes where there are three or more, else a row per model and precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.charts.chart import RunChart
from harness.charts.style import Values, drawable, ends_of, palette, told
from harness.evidence.selection import Point, describe, varying
from harness.evidence.value_text import text
from harness.number import count
from harness.results.run import Run
from harness.tasks.judging.metric_table import place_of_right

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "The share of right answers with its 95 % interval, a panel per task. The dashed rule is what guessing gets. "
    "Colors are ways of asking the same questions (examples, reasoning, extraction)."
)

MOST_PANELS = 24


def answers(run: Run) -> alt.FacetChart | None:
    """A panel per task; None where the run has no task that is answered right or wrong."""
    rows = answer_values(run)
    if not rows:
        return None
    import altair as alt
    import pandas as pd

    ladder = len({row["size"] for row in rows}) >= 3
    ways = list(dict.fromkeys(row["way"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    x = alt.X("model:N", title=None, sort=models)
    if ladder:
        x = alt.X("size:Q", title="parameters", axis=alt.Axis(format="~s", tickCount=4))
        x.scale = alt.Scale(type="log", nice=False, padding=12)
    y = alt.Y("share:Q", title="right answers", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    color = alt.Color("way:N", title=None, sort=ways, scale=alt.Scale(domain=ways, range=palette(ways)))
    base = alt.Chart().encode(x=x, y=y, color=color)
    if not ladder:
        base = base.encode(xOffset=alt.XOffset("way:N", sort=ways))
    tips = [alt.Tooltip(f"{field}:N") for field in ("model", "N", "way", "told")]
    layers = [
        alt.Chart().mark_rule(strokeDash=[4, 3], color="#888").encode(y="chance:Q"),
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y="share_low:Q", y2="share_high:Q"),
        base.mark_circle(size=45, opacity=1).encode(tooltip=tips),
    ]
    if ladder:
        layers.insert(1, base.mark_line(opacity=0.5))
    return (
        alt.layer(*layers, data=pd.DataFrame(rows))
        .properties(width=170, height=130)
        .facet(alt.Facet("task:N", title=None, sort=list(dict.fromkeys(row["task"] for row in rows))), columns=4)
    )


def answer_values(run: Run) -> Values:
    """One row per cell (and part of it) of the first `MOST_PANELS` tasks."""
    points = [point for metric in _right(run) for point in drawable(run, metric) if point.cell.measure == "task"]
    first = {point.cell.identity: point.record.metric for point in reversed(points)}
    points = [point for point in points if point.record.metric == first[point.cell.identity] and not _beside(point)]
    order = {cell.key: number for number, cell in enumerate(run.cells)}
    points.sort(key=lambda point: order[point.cell.key])
    tasks = list(dict.fromkeys(_task(point) for point in points))[:MOST_PANELS]
    return [_row(point, points) for point in points if _task(point) in tasks]


def _right(run: Run) -> list[str]:
    """The metrics of the run that a task means by a right answer; the first of them that a cell has is drawn."""
    there = {record.metric for cell in run.cells if cell.measure == "task" for record in cell.records if record.metric}
    places = {name: place for name in there if (place := place_of_right(name)) is not None}
    return sorted(places, key=lambda name: (places[name], len(name), name))  # pass@1 before pass@10


def _beside(point: Point) -> bool:
    """Whether another extraction of the same answers is drawn: the flexible one, and a vote where there are several."""
    parts = [record.part or "" for record in point.cell.records if record.metric == point.record.metric]
    strict = point.record.part == "strict-match" and "flexible-extract" in parts
    return strict or (point.record.part == "majority" and point.cell.settings.get("samples") in (None, 1))


def _task(point: Point) -> str:
    return text(point.cell.settings.get("task"))


def _row(point: Point, points: list[Point]) -> dict[str, object]:
    alike = [other.cell for other in points if _task(other) == _task(point)]
    differing = [name for name in varying(alike) if name != "model"]
    at = point.coordinates
    way = describe({name: at.get(name) for name in differing if at.get(name) is not None})
    chance = next((r.value for r in point.cell.records if r.metric == "chance"), None)
    return {
        "task": _task(point),
        "model": point.cell.model,
        "size": point.record.parameters or 0,
        "N": count(point.record.parameters or 0),
        "way": ", ".join(word for word in (way, point.record.part) if word) or "all alike",
        "chance": chance,
        "told": f"{told(point)}, {point.record.n} documents",
        **ends_of("share", point),
    }


ANSWERS = RunChart("answers", ABOUT, answers)
