"""Gold and proxy against the square root of the divergence: a panel each, a line for each training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.charts.chart import Chart
from harness.charts.style import Values, ends, palette
from harness.number import with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "Mean score over prompts by gold (left) and by the proxy that was optimized (right), with 95 % intervals over "
    "prompts, against sqrt(KL(policy || reference)). Over-optimization is where the right one rises and the left one "
    "falls. The best of n is drawn at the square root of log n - (n - 1) / n, an upper bound."
)


def over_optimization(findings: Sequence[Finding]) -> alt.HConcatChart | None:
    """Two panels; None where no policy has a score."""
    rows = over_optimization_values(findings)
    if not rows:
        return None
    import altair as alt
    import pandas as pd

    lines = list(dict.fromkeys(str(row["curve"]) for row in rows))
    color = alt.Color(
        "curve:N", sort=lines, title=None, scale=alt.Scale(domain=lines, range=palette(lines)),
        legend=alt.Legend(orient="right"),
    )  # fmt: skip
    panels = []
    for name in ("gold", "proxy"):
        here = [row for row in rows if row["by"] == name]
        if not here:
            continue
        base = alt.Chart(pd.DataFrame(here)).encode(
            x=alt.X("d:Q", title="sqrt(KL(policy || reference), nats per response)"),
            color=color,
            detail="line:N",
        )
        score = alt.Y("score:Q", title=f"{name}, score", scale=alt.Scale(zero=False))
        panels.append(
            alt.layer(
                base.mark_line().encode(y=score),
                base.mark_rule(strokeWidth=1).encode(y="score_low:Q", y2="score_high:Q"),
                base.mark_circle(size=40, opacity=1).encode(
                    y=score, tooltip=[alt.Tooltip(f"{field}:N") for field in ("line", "model", "told", "note")]
                ),
            ).properties(width=300, height=260)
        )
    return alt.hconcat(*panels).resolve_scale(color="shared")


def over_optimization_values(findings: Sequence[Finding]) -> Values:
    """A row for each policy and each of its two scores."""
    return [
        {
            "curve": str(one.subject["curve"]),
            "line": " ".join(
                [str(one.subject["curve"]), *([f"seed={one.subject['seed']}"] if "seed" in one.subject else [])]
            ),
            "model": str(one.subject["model"]),
            "by": one.name,
            "d": math.sqrt(max(float(one.data["kl"]), 0.0)),
            "told": with_interval(one.value, one.low, one.high, one.unit),
            "note": one.note,
            **ends("score", one.value, one.low, one.high),
        }
        for one in findings
        if one.name in ("gold", "proxy") and one.value is not None and math.isfinite(one.value) and "kl" in one.data
    ]


CHART = Chart("over_optimization", ABOUT, over_optimization)
