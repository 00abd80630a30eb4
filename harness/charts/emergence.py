"""Right answers over scale with the fits that the verdict compares: a smooth curve, and a plateau with a break."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.charts.chart import Chart
from harness.charts.style import COLORS, Values
from harness.evidence.value_text import text
from harness.number import count, plain, with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "Right answers with Wilson's 95 % intervals. Blue: the smooth curve that fits best. Orange, dashed: the plateau "
    "with a break that fits best. The gray rule is chance; an upright rule is a break that was found. p-values are "
    "adjusted over all curves. Curves with a trend come first."
)
MOST_PANELS = 24


def emergence(findings: Sequence[Finding]) -> alt.ConcatChart | None:
    """A panel per curve, metrics of one task beside each other; None where no verdict has a curve."""
    curves = [finding for finding in findings if finding.data.get("fits")]
    if not curves:
        return None
    import altair as alt

    tasks = list(dict.fromkeys(str(curve.subject.get("task")) for curve in curves))
    trend = {task: min(_p(curve) for curve in curves if str(curve.subject.get("task")) == task) for task in tasks}
    # sorted() keeps the run's order within a task, so that its metrics and settings stay side by side
    curves = sorted(curves, key=lambda curve: (trend[str(curve.subject.get("task"))] > 0.05, _place(tasks, curve)))
    panels = [_panel(curve, _differing(curve, curves)) for curve in curves[:MOST_PANELS]]
    return alt.concat(*panels, columns=3, spacing=24)


def _p(curve: Finding) -> float:
    return float(curve.data["p_trend"])


def _place(tasks: Sequence[str], curve: Finding) -> int:
    return tasks.index(str(curve.subject.get("task")))


def _differing(curve: Finding, curves: Sequence[Finding]) -> list[str]:
    """What tells a curve from the others of its task: shots, the metric …"""
    alike = [other.subject for other in curves if other.subject.get("task") == curve.subject.get("task")]
    names = (name for name in curve.subject if name != "task")
    return [name for name in names if len({repr(subject.get(name)) for subject in alike}) > 1]


def _panel(curve: Finding, differing: Sequence[str]) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    data = curve.data
    loss = data["over"] == "loss"
    axis = alt.Axis(tickCount=4) if loss else alt.Axis(format="~s", tickCount=4)
    x = alt.X("scale:Q", title=str(data["over"]).replace("_", " "), axis=axis)
    x.scale = alt.Scale(type="log", nice=False, padding=8, reverse=loss)
    y = alt.Y("share:Q", title="right answers", axis=alt.Axis(format="%", tickCount=5))
    y.scale = alt.Scale(domain=[0, 1])

    def on(rows: Values) -> alt.Chart:
        return alt.Chart(pd.DataFrame(rows)).encode(x=x, y=y)

    blue, orange = COLORS[:2]
    points = on(curve_points(curve))
    layers = [
        alt.Chart(pd.DataFrame([{"share": data["chance"]}])).mark_rule(color="#888", strokeDash=[2, 3]).encode(y=y),
        on([{"scale": row["scale"], "share": row["smooth"]} for row in data["fits"]]).mark_line(color=blue),
        on([{"scale": row["scale"], "share": row["hinge"]} for row in data["fits"]]).mark_line(
            color=orange, strokeDash=[5, 4]
        ),
        points.mark_rule(strokeWidth=1.5, color="#888").encode(y="low:Q", y2="high:Q"),
        points.mark_circle(size=50, opacity=1, color=blue).encode(
            tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "at", "told")]
        ),
    ]
    if data.get("break") is not None:
        mark = alt.Chart(pd.DataFrame([{"scale": data["break"]}])).mark_rule(color=orange, strokeWidth=1.5)
        layers.append(mark.encode(x=x))
    at = ", ".join(_told(name, curve.subject[name]) for name in differing)
    tests = f"trend p {_number(data['p_trend'])}"
    if data["p_break"] is not None:
        tests += f", break p {_number(data['p_break'])}"
    under = [*([at] if at else []), str(data["verdict"]), tests]
    title = {"text": text(curve.subject.get("task")), "subtitle": under, "anchor": "start"}
    return alt.layer(*layers).properties(width=210, height=150, title=title)


def curve_points(curve: Finding) -> Values:
    """The points of a verdict's curve: shares with Wilson's intervals at what n is worth."""
    from harness.statistics.proportions import wilson

    rows: Values = []
    for point in curve.data["points"]:
        share, worth = point["correct"] / point["n"], point["n_effective"]
        interval = wilson(min(share * worth, worth), worth)
        told = with_interval(share, interval.low, interval.high, "share")
        rows.append(
            {
                "scale": point["scale"],
                "share": share,
                "low": interval.low,
                "high": interval.high,
                "model": point["model"],
                "at": plain(point["scale"]) if curve.data["over"] == "loss" else count(point["scale"]),
                "told": f"{told}, {point['n']:,.0f} items" + (f" worth {worth:,.0f}" if worth < point["n"] else ""),
            }
        )
    return rows


def _told(name: str, value: object) -> str:
    return str(value) if name in ("of", "part", "reasoning") else f"{name.replace('_', ' ')} {value}"


def _number(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


CHART = Chart("emergence", ABOUT, emergence)
