"""Series as a chart: points in the order of commits, with steps as levels and breaks as rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.charts.style import COLORS, Values, ends
from harness.errors import UserError, WrongArgument
from harness.history.series import Found, Series
from harness.history.steps import segments
from harness.number import scale, with_interval
from harness.whole_file import check_target

if TYPE_CHECKING:
    import altair as alt

MOST = 12
"""Series that one picture shows."""
WIDTH, HEIGHT = 640, 170


def trend_chart(series: Sequence[Series]) -> alt.VConcatChart:
    """A panel for each series, twelve at most. Raises UserError where none has a point with a value."""
    import altair as alt

    panels = [_panel(one) for one in series[:MOST] if trend_values(one)]
    if not panels:
        raise UserError("no commit in the history of the branch has a value, so there is nothing to draw")
    return alt.vconcat(*panels, spacing=24)


def draw_series(found: Found, path: str | Path, last: int | None = None) -> None:
    """Draw series by commit into a .svg or a .png file. last: only so many points of each. Raises UserError."""
    from harness.report.picture import write_pictures

    check_picture(Path(path))
    write_pictures({Path(path): trend_chart([one.last(last) for one in found.series]).to_dict()})


def check_picture(path: str | Path | None) -> None:
    """Where no picture can be drawn into a file. Raises UserError."""
    path = None if path is None else Path(path)
    check_target(path, "chart")
    if path is not None and path.suffix not in (".svg", ".png"):
        raise WrongArgument("a picture is a .svg or a .png file", place="chart")


def trend_values(series: Series) -> Values:
    """A row for each point with a finite value: its place, the value, and the level between steps."""
    chosen = scale([one.value for one in series.points if one.value is not None], series.unit_of_all)
    rows: Values = []
    places = {id(point): place for place, point in enumerate(series.points)}
    for number, segment in enumerate(segments(series.points, series.breaks)):
        levels = _levels(series, [point.key for point in segment])
        for point in segment:
            if point.value is None or not math.isfinite(point.value):
                continue
            level = levels.get(point.key)
            rows.append(
                {
                    "place": places[id(point)],
                    "commit": point.name,
                    "segment": number,
                    "counts": point.counts,
                    "kind": "a commit" if point.counts else "with changes, or merged",
                    **ends("value", point.value, point.low, point.high, chosen.factor),
                    "level": None if level is None else level * chosen.factor,
                    "unit": chosen.unit,
                    "told": with_interval(point.value, point.low, point.high, point.unit),
                    "notes": "; ".join(point.marks),
                }
            )
    return rows


def _levels(series: Series, keys: list[str]) -> dict[str, float]:
    """The level at each point of a segment that has steps."""
    steps = [one for one in series.steps if one.key in keys]
    if not steps:
        return {}
    found, level, at = {}, steps[0].before, {one.key: one.after for one in steps}
    for key in keys:
        level = at.get(key, level)
        found[key] = level
    return found


def _panel(series: Series) -> Any:
    import altair as alt
    import pandas as pd

    rows = trend_values(series)
    unit = rows[0]["unit"] or ("ratio, above 1 is slower" if series.kind == "ratio" else "")
    labels = {row["place"]: row["commit"] for row in rows}
    told = "{" + ", ".join(f"{place}: '{name}'" for place, name in labels.items() if "'" not in name) + "}"
    x = alt.X("place:Q", title=None, scale=alt.Scale(nice=False, padding=8))
    x.axis = alt.Axis(grid=False, labelExpr=f"({told})[datum.value] || ''", labelOverlap=True, tickMinStep=1)
    y = alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False, padding=8))
    base = alt.Chart(pd.DataFrame(rows)).encode(x=x, y=y)
    tips = [alt.Tooltip("commit:N"), alt.Tooltip("told:N", title="value"), alt.Tooltip("notes:N")]
    color = COLORS[1] if series.is_absolute_time else COLORS[0]
    layers = [
        base.mark_rule(opacity=0.3, color=color).encode(y="value_low:Q", y2="value_high:Q"),
        base.mark_line(opacity=0.35, color=color).transform_filter("datum.counts").encode(detail="segment:N"),
        base.mark_point(size=26, opacity=1, color=color).encode(
            tooltip=tips, fill=alt.condition("datum.counts", alt.value(color), alt.value("white"))
        ),
    ]
    if any(row["level"] is not None for row in rows):
        steps = base.mark_line(interpolate="step-after", color=COLORS[5], strokeWidth=2).transform_filter(
            "datum.counts"
        )
        layers.append(steps.encode(y="level:Q", detail="segment:N"))
    places = {point.key: number for number, point in reversed(list(enumerate(series.points)))}
    if broken := [{"at": places[one.key] - 0.5, "why": one.why} for one in series.breaks if one.key in places]:
        rules = alt.Chart(pd.DataFrame(broken)).encode(x="at:Q")
        layers.append(rules.mark_rule(strokeDash=[4, 3], color="#888").encode(tooltip=[alt.Tooltip("why:N")]))
        label = {"align": "left", "baseline": "top", "dx": 4, "fontSize": 9, "color": "#888", "limit": 260}
        layers.append(rules.mark_text(**label).encode(y=alt.value(0), text="why:N"))
    absolute = " (absolute times: no steps are looked for)" if series.is_absolute_time else ""
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=f"{series.title}{absolute}")
