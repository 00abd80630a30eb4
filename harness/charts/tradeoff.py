"""Quality against decode speed against memory: the one look that tells what a precision costs and brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.charts.chart import RunChart
from harness.charts.style import Values, conditions, drawable, ends_of, palette, told
from harness.evidence.definition import why_other_definition
from harness.evidence.selection import Point
from harness.evidence.value_text import label, text
from harness.number import scale
from harness.results.run import Run

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "Quality against speed against memory. Up is better (fewer bits per byte), right is faster, a bigger point takes "
    "more memory; a line joins the precisions of one model. Panels are different texts, or different windows over one, "
    "whose bits per byte can't be compared. Rules are 95 % intervals of one value: differences between precisions of a "
    "model are known far better (they share the documents), see the cost of quantization."
)


def tradeoff(run: Run) -> alt.HConcatChart | None:
    """One panel per text; None where no cell has quality, speed and memory."""
    rows = tradeoff_values(run)
    if not rows:
        return None
    import altair as alt

    texts = list(dict.fromkeys(row["text"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    color = alt.Color(
        "model:N",
        title="model",
        scale=alt.Scale(domain=models, range=palette(models)),
        legend=alt.Legend(symbolType="circle", symbolOpacity=1),
    )
    # one scale of areas for all panels, so that they can be compared across them
    size = alt.Size(
        "memory:Q",
        title=f"memory, {rows[0]['memory_unit']}",
        scale=alt.Scale(type="sqrt", range=[30, 900]),
        legend=alt.Legend(values=_round_sizes(rows)),
    )
    panels = [
        _panel([row for row in rows if row["text"] == name], color, size).properties(
            width=max(300, 740 // len(texts)), height=320, title=f"text: {name}"
        )
        for name in texts
    ]
    return alt.hconcat(*panels, spacing=30)


def tradeoff_values(run: Run) -> Values:
    """One row per model and axes that has bits per byte, a decode rate and a memory."""
    speeds, memories = drawable(run, "decode_rate"), drawable(run, "peak_memory") or drawable(run, "weight_bytes")
    readable = scale([point.record.value for point in memories], "bytes")
    rows: Values = []
    qualities = drawable(run, "bits_per_byte")
    for quality in qualities:
        speed, memory = _beside(quality, speeds), _beside(quality, memories)
        if speed is None or memory is None or not (speed.record.value or 0) > 0:
            continue
        rows.append(
            {
                "text": _read(quality, qualities),
                "model": quality.cell.model,
                "precision": text(quality.cell.axes.get("precision")),
                "place": sum(row["model"] == quality.cell.model for row in rows),
                **ends_of("quality", quality),
                **ends_of("speed", speed),
                "memory": (memory.record.value or 0.0) * readable.factor,
                "memory_unit": readable.unit,
                "quality_told": told(quality),
                "speed_told": f"{told(speed)} ({conditions(speed)})",
                "memory_told": f"{told(memory)} ({conditions(memory)})",
            }
        )
    return rows


def _panel(rows: Values, color: alt.Color, size: alt.Size) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    roomy = {"zero": False, "nice": False, "padding": 34}
    x = alt.X("speed:Q", title="decode, tokens/s  (faster →)", scale=alt.Scale(type="log", nice=False, padding=34))
    x.axis = alt.Axis(format="~s", tickCount=6)
    y = alt.Y("quality:Q", title="bits per byte, reversed  (better →)", scale=alt.Scale(reverse=True, **roomy))
    base = alt.Chart(pd.DataFrame(rows)).encode(x=x, y=y)
    colored = base.encode(color=color)
    return alt.layer(
        colored.mark_line(opacity=0.4, strokeWidth=1.5).encode(order="place:Q"),
        colored.mark_rule(opacity=0.35).encode(x="speed_low:Q", x2="speed_high:Q"),
        colored.mark_rule(opacity=0.35).encode(y="quality_low:Q", y2="quality_high:Q"),
        colored.mark_circle(opacity=0.85, stroke="white", strokeWidth=0.5).encode(
            size=size,
            tooltip=[
                alt.Tooltip("model:N"),
                alt.Tooltip("precision:N"),
                alt.Tooltip("quality_told:N", title="quality"),
                alt.Tooltip("speed_told:N", title="decode"),
                alt.Tooltip("memory_told:N", title="memory"),
            ],
        ),
        # neighbors along a line are labeled above and below in turn, for they may be close
        base.transform_filter("datum.place % 2 == 0").mark_text(dy=-20, fontSize=10).encode(text="precision:N"),
        base.transform_filter("datum.place % 2 == 1").mark_text(dy=20, fontSize=10).encode(text="precision:N"),
    )


def _read(quality: Point, others: Sequence[Point]) -> str:
    """The text, with how it was read where others read it in another window."""
    name = text(quality.cell.settings.get("text"))
    same = [other.cell for other in others if other.cell.settings.get("text") == quality.cell.settings.get("text")]
    if all(why_other_definition(quality.cell, cell) is None for cell in same):
        return name
    return ", ".join([name, *(label(key, value) for key, value in quality.cell.resolved.items())])


def _beside(quality: Point, others: Sequence[Point]) -> Point | None:
    """Of the other measurements of the same model at the same axes the one with the smallest batch and lengths."""
    same = [o for o in others if o.cell.model == quality.cell.model and o.cell.axes == quality.cell.axes]
    return min(same, key=lambda o: [_number(o, name) for name in ("batch", "prompt", "context")], default=None)


def _number(point: Point, name: str) -> float:
    value = point.cell.settings.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _round_sizes(rows: Values) -> list[float]:
    """Three sizes for the legend: the smallest, the middle and the largest, rounded."""
    sizes = sorted(row["memory"] for row in rows)
    return list(dict.fromkeys(float(f"{sizes[place]:.1g}") for place in (0, len(sizes) // 2, -1)))


TRADEOFF = RunChart("tradeoff", ABOUT, tradeoff)
