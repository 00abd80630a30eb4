"""Measured sizes with their intervals, the fitted law, and its band up to ten times the largest size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.charts.chart import Chart
from harness.charts.style import COLORS, Values, ends
from harness.evidence.value_text import text
from harness.number import count, with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "The fitted power law, dashed beyond the largest measured size. The band is the 95 % interval of the law under "
    "another choice of documents; the points' own intervals are wider because all sizes share the documents."
)


def scaling_law(findings: Sequence[Finding]) -> alt.HConcatChart | None:
    """A panel for each of the first three laws; None where none was identified."""
    laws = [finding for finding in findings if finding.data.get("curve")]
    if not laws:
        return None
    import altair as alt

    return alt.hconcat(*map(_panel, laws[:3]), spacing=30)


def _panel(law: Finding) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    data = law.data
    curve: Values = [
        {"size": row["size"]} | ends("value", row["value"], row["low"], row["high"])
        for row in data["curve"]
        if math.isfinite(row["value"])
    ]
    known = max(point["size"] for point in data["points"])
    x = alt.X("size:Q", title=str(data["over"]).replace("_", " "), axis=alt.Axis(format="~s", tickCount=5))
    x.scale = alt.Scale(type="log", nice=False)
    y = alt.Y("value:Q", title=f"{data['metric'].replace('_', ' ')}, {data['unit']}", axis=alt.Axis(tickCount=6))
    y.scale = alt.Scale(type="log", nice=False)

    def on(rows: Values) -> alt.Chart:
        return alt.Chart(pd.DataFrame(rows)).encode(x=x, y=y)

    blue, orange = COLORS[:2]
    points = on(_points(law))
    at = ", ".join(text(law.subject[name]) for name in ("text", "precision") if law.subject.get(name) is not None)
    return alt.layer(
        on(curve).mark_area(opacity=0.2, color=blue).encode(y="value_low:Q", y2="value_high:Q"),
        on([row for row in curve if row["size"] <= known]).mark_line(color=blue, clip=True),
        on([row for row in curve if row["size"] >= known]).mark_line(color=blue, strokeDash=[5, 4], clip=True),
        points.mark_rule(color=orange, strokeWidth=1.5).encode(y="value_low:Q", y2="value_high:Q"),
        points.mark_circle(color=orange, size=70, opacity=1).encode(
            tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "N", "told")]
        ),
        points.mark_text(align="left", dx=8, dy=-8).encode(text="model:N"),
    ).properties(
        width=460,
        height=280,
        title={"text": f"exponent {with_interval(law.value, law.low, law.high)}", "subtitle": at},
    )


def _points(law: Finding) -> Values:
    return [
        point
        | ends("value", point["value"], point["low"], point["high"])
        | {
            "told": with_interval(point["value"], point["low"], point["high"], law.data["unit"]),
            "N": count(point["size"]),
        }
        for point in law.data["points"]
    ]


CHART = Chart("scaling_law", ABOUT, scaling_law)
