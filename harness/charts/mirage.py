"""The same answers under several metrics over model size: a row per task, a panel per metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.charts.chart import Chart
from harness.charts.style import COLORS, Values
from harness.number import count, with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "The same answers under several metrics, with 95 % intervals. Shaded: the sizes where exact match (or accuracy) "
    "stands still. A jump that only the first panel shows is the metric's; open circles are zeros, with what so few "
    "documents can't tell from 0 as their interval. Each panel has its own scale."
)
MOST_ROWS = 12
STATES = {
    "jumps": "jumps",
    "moves": "moves before",
    "rises at once": "improves at once",
    "does not rise": "does not improve",
    "does not decide": "can't be told",
}


def mirage(findings: Sequence[Finding]) -> alt.VConcatChart | None:
    """A row per verdict, decided ones first; None where there is none with curves."""
    found = [item for item in findings if item.data.get("curves")]
    if not found:
        return None
    import altair as alt

    order = ("the jump is there under every metric", "only under exact match", "not decided", "no jump")
    found.sort(key=lambda item: order.index(item.data["verdict"]))
    return alt.vconcat(*map(_row, found[:MOST_ROWS]), spacing=18).resolve_scale(color="independent")


def _row(finding: Finding) -> alt.HConcatChart:
    import altair as alt

    data = finding.data
    shots = finding.subject.get("shots")
    told = data["title"] + (f", shots {shots}" if shots else "")
    panels = [_panel(curve, data, first=number == 0) for number, curve in enumerate(data["curves"])]
    title: Any = {"text": told, "subtitle": data["verdict"], "anchor": "start"}
    return alt.hconcat(*panels, spacing=22).properties(title=title)


def _panel(curve: dict[str, Any], data: dict[str, Any], *, first: bool) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    rows = metric_values(curve)
    y = alt.Y("value:Q", title=curve["unit"], axis=alt.Axis(tickCount=4))
    y.scale = alt.Scale(zero=first, nice=True)
    base = alt.Chart(pd.DataFrame(rows)).encode(x=_size("size"), y=y)
    color = COLORS[1 if first else 0]
    tips = [alt.Tooltip(f"{field}:N") for field in ("model", "N", "told")]
    layers: list[Any] = [
        base.mark_line(color=color, opacity=0.5),
        base.mark_rule(color=color, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.transform_filter("datum.zero == false").mark_circle(color=color, size=45, opacity=1).encode(tooltip=tips),
        base.transform_filter("datum.zero == true").mark_point(color=color, size=45).encode(tooltip=tips),
    ]
    if data["straight"] is not None:
        sizes = [point["size"] for point in curve["points"]]
        still = pd.DataFrame([{"from": sizes[0], "to": sizes[data["flat"] - 1]}])
        shade = alt.Chart(still).mark_rect(color="#888", opacity=0.12)
        layers.insert(0, shade.encode(x=_size("from"), x2="to:Q"))
    title: Any = {"text": curve["metric"].replace("_", " "), "subtitle": STATES[curve["state"]]}
    return alt.layer(*layers).properties(width=150, height=110, title=title)


def _size(field: str) -> alt.X:
    import altair as alt

    axis, scale = alt.Axis(format="~s", tickCount=3), alt.Scale(type="log", nice=False, padding=8)
    return alt.X(f"{field}:Q", title=None, axis=axis, scale=scale)


def metric_values(curve: dict[str, Any]) -> Values:
    """One row per size of one metric."""
    share = curve["unit"] == "share"
    return [
        {
            **{key: point[key] for key in ("model", "size", "value", "low", "high")},
            "N": count(point["size"]),
            "zero": share and point["value"] == 0,
            "told": with_interval(point["value"], point["low"], point["high"], curve["unit"]),
        }
        for point in curve["points"]
    ]


CHART = Chart("mirage", ABOUT, mirage)
