"""Score against divergence: a point for each policy, lines for best-of-n and for the most that is possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.charts.chart import Chart
from harness.charts.style import Values, ends, palette
from harness.number import with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "Each policy's mean score against its divergence from the reference, with 95 % intervals over prompts. The dashed "
    "line is best-of-n, drawn at log n - (n - 1) / n nats, which is an upper bound of its divergence. The gray line is "
    "the reference reweighted by exp(score / beta): no policy is above it beyond its interval. It ends where too few "
    "samples carry the weight."
)


def frontier(findings: Sequence[Finding]) -> alt.LayerChart | None:
    """One panel; None where no policy has a score and a divergence."""
    policies = frontier_values(findings, "policy")
    if not policies:
        return None
    import altair as alt
    import pandas as pd

    models = list(dict.fromkeys(str(row["model"]) for row in policies))
    x = alt.X("kl:Q", title="KL(policy || reference), nats per response", scale=alt.Scale(type="sqrt", zero=True))
    y = alt.Y("score:Q", title="score", scale=alt.Scale(zero=False))
    layers: list[Any] = []
    for name, style in (("ceiling", {"color": "#999"}), ("best_of_n", {"color": "#555", "strokeDash": [5, 4]})):
        rows = frontier_values(findings, name)
        if rows:
            base = alt.Chart(pd.DataFrame(rows)).encode(x=x, tooltip=_tooltip())
            layers += [base.mark_line(**style).encode(y=y), base.mark_circle(size=18, color=style["color"]).encode(y=y)]
    base = alt.Chart(pd.DataFrame(policies)).encode(
        x=x,
        color=alt.Color(
            "model:N", sort=models, title=None, scale=alt.Scale(domain=models, range=palette(models)),
            legend=alt.Legend(orient="right"),
        ),
    )  # fmt: skip
    layers += [
        base.mark_rule(strokeWidth=1.5).encode(y="score_low:Q", y2="score_high:Q"),
        base.mark_circle(size=60, opacity=1).encode(y=y, tooltip=_tooltip()),
    ]
    return alt.layer(*layers).properties(width=460, height=280)


def frontier_values(findings: Sequence[Finding], name: str) -> Values:
    """A row for each finding of this name that has a place."""
    return [
        {
            "model": str(one.subject.get("model")),
            "kl": max(float(one.data["kl"]), 0.0),
            "told": f"{name.replace('_', ' ')} {with_interval(one.value, one.low, one.high, one.unit)}",
            "note": one.note,
            **ends("score", one.value, one.low, one.high),
        }
        for one in findings
        if one.name == name and one.value is not None and math.isfinite(one.value) and "kl" in one.data
    ]


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    return [alt.Tooltip(f"{field}:N") for field in ("model", "told", "note")]


CHART = Chart("reward_frontier", ABOUT, frontier)
