"""Prefill and decode rates as bars with their intervals: a row per model, each panel with its own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.charts.chart import RunChart
from harness.charts.style import Values, conditions, drawable, ends_of, palette, told
from harness.evidence.value_text import text
from harness.measures.inference import DECODE_RATE, PREFILL_RATE
from harness.results.run import Run

if TYPE_CHECKING:
    import altair as alt

ABOUT = "Prefill and decode rates with their intervals, longer is better. Every panel has its own scale."

RATES = {metric.name: f"{name}, {metric.unit}" for name, metric in (("prefill", PREFILL_RATE), ("decode", DECODE_RATE))}


def speed(run: Run) -> alt.FacetChart | None:
    """A row of two panels per model; None where the run has no speeds."""
    rows = _values(run)
    if not rows:
        return None
    import altair as alt
    import pandas as pd

    models, precisions, batches = (list(dict.fromkeys(row[n] for row in rows)) for n in ("model", "precision", "batch"))
    base = alt.Chart().encode(
        y=alt.Y("precision:N", title=None, sort=precisions, axis=alt.Axis(domain=False, ticks=False)),
        yOffset=alt.YOffset("batch:N", sort=batches),
    )
    bars = base.mark_bar(opacity=0.85).encode(
        x=alt.X("speed:Q", title=None, axis=alt.Axis(tickCount=4, format="~s")),
        color=alt.Color(
            "batch:N", title="batch", sort=batches, scale=alt.Scale(domain=batches, range=palette(batches))
        ),
        tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "precision", "told", "conditions")],
    )
    ends = base.mark_rule(strokeWidth=1.5).encode(x="speed_low:Q", x2="speed_high:Q")
    return (
        alt.layer(bars, ends, data=pd.DataFrame(rows))
        .properties(width=330, height=max(36, 11 * len(precisions) * len(batches)))
        .facet(
            row=alt.Row("model:N", sort=models, title=None, header=alt.Header(labelFontWeight="bold")),
            column=alt.Column(
                "rate:N", sort=list(RATES.values()), title=None, header=alt.Header(labelFontWeight="bold")
            ),
            spacing={"row": 14, "column": 30},
        )
        .resolve_scale(x="independent")
    )


def _values(run: Run) -> Values:
    return [
        {
            "rate": rate,
            "model": point.cell.model,
            "precision": text(point.cell.axes.get("precision")),
            "batch": text(point.cell.settings.get("batch")),
            **ends_of("speed", point),
            "told": told(point),
            "conditions": conditions(point),
        }
        for metric, rate in RATES.items()
        for point in drawable(run, metric)
    ]


SPEED = RunChart("speed", ABOUT, speed, measure="inference")
