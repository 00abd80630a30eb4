"""Prefill and decode rates as bars with their intervals: a row per model, each panel with its own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.selection import points
from harness.report.charts.style import Values, conditions, ends_of, palette, told
from harness.report.results import text
from harness.results.run import Run

if TYPE_CHECKING:
    import altair as alt

ABOUT = "Prefill and decode rates with their intervals, longer is better. Every panel has its own scale."

RATES = {"prefill_rate": "prefill, tokens/s", "decode_rate": "decode, tokens/s"}


def speed(run: Run) -> alt.VConcatChart | None:
    """A row of two panels per model; None where the run has no speeds."""
    import altair as alt

    rows = _values(run)
    if not rows:
        return None
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    colour = alt.Color("batch:N", title="batch", sort=batches, scale=alt.Scale(domain=batches, range=palette(batches)))
    lines = []
    for number, model in enumerate(dict.fromkeys(row["model"] for row in rows)):
        mine = [row for row in rows if row["model"] == model]
        panels = [
            _panel([row for row in mine if row["rate"] == rate], model, colour, title=rate if number == 0 else None)
            for rate in RATES.values()
        ]
        lines.append(alt.hconcat(*panels, spacing=30))
    return alt.vconcat(*lines, spacing=8)


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
        for point in points(run, metric)
    ]


def _panel(rows: Values, model: str, colour: alt.Color, title: str | None) -> alt.LayerChart:
    import altair as alt

    precisions = list(dict.fromkeys(row["precision"] for row in rows))
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("precision:N", title=model, sort=precisions, axis=alt.Axis(domain=False, ticks=False)),
        yOffset=alt.YOffset("batch:N", sort=batches),
    )
    bars = base.mark_bar(opacity=0.85).encode(
        x=alt.X("speed:Q", title=None, axis=alt.Axis(tickCount=4, format="~s")),
        color=colour,
        tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "precision", "told", "conditions")],
    )
    ends = base.mark_rule(strokeWidth=1.5).encode(x="speed_low:Q", x2="speed_high:Q")
    drawn = alt.layer(bars, ends).properties(width=330, height=max(36, 11 * len(precisions) * len(batches)))
    return drawn.properties(title=title) if title else drawn
