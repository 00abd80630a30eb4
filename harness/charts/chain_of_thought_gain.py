"""What chain of thought brings over model size: gains with their intervals, and where it begins to pay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.charts.chart import Chart
from harness.charts.style import COLORS, Values
from harness.evidence.value_text import text
from harness.number import count, with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "Right answers with chain of thought less those at once, in percentage points, with 95 % intervals (paired by "
    "document). Above the rule at 0 the steps pay. The band is where the gain turns positive, with its own interval; "
    "no band means that there is no such size, or that it can't be told: the line under the title says which."
)
MOST_PANELS = 24


def chain_of_thought_gain(findings: Sequence[Finding]) -> alt.ConcatChart | None:
    """A panel per task and way of extracting; None where there is no ladder of two sizes."""
    ladders = [item for item in findings if len(item.data.get("points", ())) > 1]
    if not ladders:
        return None
    import altair as alt

    return alt.concat(*(_panel(ladder) for ladder in ladders[:MOST_PANELS]), columns=3, spacing=24)


def _panel(ladder: Finding) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    rows = gain_values(ladder)
    over = str(ladder.data["over"]).replace("_", " ")
    y = alt.Y("gain:Q", title="gain, percentage points", axis=alt.Axis(tickCount=5))
    y.scale = alt.Scale(zero=True, nice=True)
    blue, orange = COLORS[:2]
    base = alt.Chart(pd.DataFrame(rows)).encode(x=_size("size", over), y=y)
    layers: list[Any] = [
        alt.Chart(pd.DataFrame([{"gain": 0.0}])).mark_rule(color="#888", strokeDash=[4, 3]).encode(y=y),
        base.mark_line(color=blue, opacity=0.5),
        base.mark_rule(color=blue, strokeWidth=1.5).encode(y="gain_low:Q", y2="gain_high:Q"),
        base.mark_circle(color=blue, size=55, opacity=1).encode(
            tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "N", "told", "answers", "unfound")]
        ),
    ]
    band = crossover_band(ladder)
    if band is not None:
        frame = pd.DataFrame([band])
        layers.insert(
            0, alt.Chart(frame).mark_rect(color=orange, opacity=0.15).encode(x=_size("low", over), x2="high:Q")
        )
        layers.insert(1, alt.Chart(frame).mark_rule(color=orange, strokeWidth=1.5).encode(x=_size("at", over)))
    names = ("part", "shots", "family")
    told = ", ".join(f"{name} {value}" for name in names if (value := ladder.subject.get(name)) not in (None, ""))
    title = {
        "text": text(ladder.subject.get("task")),
        "subtitle": [*([told] if told else []), _verdict(ladder)],
        "anchor": "start",
    }
    return alt.layer(*layers).properties(width=210, height=150, title=title)


def _size(field: str, title: str) -> alt.X:
    import altair as alt

    axis, scale = alt.Axis(format="~s", tickCount=4), alt.Scale(type="log", nice=False, padding=8)
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=scale)


def gain_values(ladder: Finding) -> Values:
    """One row per size; an end that is missing is the value."""
    rows: Values = []
    for point in ladder.data["points"]:
        value = point["value"]
        low, high = (value if end is None or not math.isfinite(end) else end for end in (point["low"], point["high"]))
        lost = point["extraction_failure"]
        unfound = [("not known" if lost[way] is None else f"{lost[way]:.1%}") for way in ("direct", "cot")]
        rows.append(
            {
                "model": point["model"],
                "size": point["size"],
                "N": count(point["size"]),
                "gain": value,
                "gain_low": low,
                "gain_high": high,
                "told": with_interval(value, point["low"], point["high"], "percentage points"),
                "answers": f"{point['direct']:.1%} at once, {point['cot']:.1%} with steps",
                "unfound": f"no answer found in {unfound[0]} and {unfound[1]}",
            }
        )
    return rows


def crossover_band(ladder: Finding) -> dict[str, float] | None:
    """Where the gain turns positive, with its interval cut to the sizes that were measured; None where nowhere."""
    if ladder.value is None or ladder.low is None or ladder.high is None:
        return None
    sizes = [point["size"] for point in ladder.data["points"]]
    return {"at": ladder.value, "low": max(ladder.low, min(sizes)), "high": min(ladder.high, max(sizes))}


def _verdict(ladder: Finding) -> str:
    """The crossover in a few words; the note has the reason."""
    if ladder.value is None:
        return f"crossover: {ladder.data.get('verdict', 'not identified')}"
    below, above = (count(ladder.data[end]) for end in ("below", "above"))
    return f"crossover at {count(ladder.value)}, between {below} and {above}"


CHART = Chart("chain_of_thought_gain", ABOUT, chain_of_thought_gain)
