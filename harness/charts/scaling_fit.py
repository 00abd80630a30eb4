"""Loss against compute with a fitted law: isoFLOP curves, frontier with its band, and what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.charts.chart import Chart
from harness.charts.style import COLORS
from harness.number import count, with_interval
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT_COMPUTE = (
    "Each point is a trained model; those held out are orange. Left: loss against compute, with the fitted law's "
    "lowest loss for each budget and its 95 % band, dashed beyond what was fitted. Right: the same budgets, loss "
    "against size, with the law along each of them and the path of its best sizes."
)
ABOUT_PREDICTIONS = (
    "Runs that were not fitted: what the law said of them with its 95 % interval (the law's draws with a run's "
    "scatter), against what they turned out to be. On the line they were right."
)


def fits(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that hold a fit's points and curves."""
    return [finding for finding in findings if finding.data.get("kind") == "scaling_fit"]


def log_scale(field: str, title: str) -> dict[str, Any]:
    """A logarithmic axis with powers of ten, as keywords of `alt.X` and `alt.Y`."""
    import altair as alt

    axis = alt.Axis(format=".0e", tickCount=5, labelOverlap=True)
    return {
        "shorthand": f"{field}:Q",
        "title": title,
        "axis": axis,
        "scale": alt.Scale(type="log", nice=False, padding=8),
    }


def loss_axis(title: str = "loss") -> dict[str, Any]:
    """The loss: logarithmic, with plain numbers."""
    import altair as alt

    axis = alt.Axis(tickCount=6, format=".3~g")
    return {"shorthand": "loss:Q", "title": title, "axis": axis, "scale": alt.Scale(type="log", nice=False, zero=False)}


def compute(findings: Sequence[Finding]) -> alt.VConcatChart | None:
    """Two panels for each of the first two fits over sizes and tokens; None where there is none."""
    drawn = [finding for finding in fits(findings) if finding.data.get("frontier")][:2]
    if not drawn:
        return None
    import altair as alt

    return alt.vconcat(*map(_compute, drawn))


def _compute(finding: Finding) -> alt.HConcatChart:
    import altair as alt
    import pandas as pd

    data = finding.data
    points = pd.DataFrame([row | {"told": _told(row)} for row in data["points"]])
    frontier = pd.DataFrame(data["frontier"])
    known = float(points.loc[~points["held_out"], "compute"].max())
    x, y = log_scale("compute", "training compute, FLOPs"), loss_axis()
    blue, orange = COLORS[:2]
    which = alt.condition("datum.held_out", alt.value(orange), alt.value(blue))
    dots = (
        alt.Chart(points)
        .mark_circle(size=28, opacity=0.75)
        .encode(x=alt.X(**x), y=alt.Y(**y), color=which, tooltip=alt.Tooltip("told:N"))
    )
    base = alt.Chart(frontier).encode(x=alt.X(**x), y=alt.Y(**y))
    layers: list[Any] = []
    if frontier["low"].notna().all():
        layers.append(
            base.mark_area(opacity=0.18, color=blue).encode(y=alt.Y(**(y | {"shorthand": "low:Q"})), y2="high:Q")
        )
    layers += [
        base.transform_filter(f"datum.compute <= {known}").mark_line(color=blue),
        base.transform_filter(f"datum.compute >= {known}").mark_line(color=blue, strokeDash=[5, 4]),
        dots,
    ]
    left = alt.layer(*layers).properties(width=360, height=300, title=_title(finding))
    right = _isoflop(data, points, frontier)
    return alt.hconcat(left, right, spacing=30) if right is not None else alt.hconcat(left)


def _isoflop(data: dict[str, Any], points: Any, frontier: Any) -> alt.LayerChart | None:
    import altair as alt
    import pandas as pd

    curves = pd.DataFrame(data["isoflop"])
    if curves.empty:
        return None
    color = alt.Color("compute:Q", scale=alt.Scale(type="log", scheme="viridis"), legend=None)
    ends = curves.loc[curves.groupby("compute")["parameters"].idxmax()]
    labels = ends.assign(budget=[f"{value:.2g}" for value in ends["compute"]])
    x, y = alt.X(**log_scale("parameters", "parameters")), alt.Y(**loss_axis())
    span = [curves["parameters"].min(), curves["parameters"].max()]
    path = frontier[(frontier["parameters"] >= span[0]) & (frontier["parameters"] <= span[1])]
    return alt.layer(
        alt.Chart(curves).mark_line(strokeWidth=1.2).encode(x=x, y=y, color=color, detail="compute:N"),
        alt.Chart(path).mark_line(color="#888", strokeDash=[3, 3]).encode(x=x, y=y),
        alt.Chart(labels).mark_text(align="right", dx=4, dy=-6, fontSize=9).encode(x=x, y=y, text="budget:N"),
        alt.Chart(points)
        .mark_point(size=32, filled=True, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=color,
            shape=alt.Shape(
                "held_out:N", title="held out", scale=alt.Scale(domain=[False, True], range=["circle", "diamond"])
            ),
            tooltip=alt.Tooltip("told:N"),
        ),
    ).properties(width=360, height=300, title={"text": "loss by size", "subtitle": "along budgets in FLOPs"})


def predictions(findings: Sequence[Finding]) -> alt.HConcatChart | None:
    """Predicted against true losses of held-out runs; None where nothing was held out."""
    drawn = [finding for finding in fits(findings) if any(row.get("low") is not None for row in finding.data["points"])]
    if not drawn:
        return None
    import altair as alt

    return alt.hconcat(*map(_predictions, drawn[:3]), spacing=30)


def _predictions(finding: Finding) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    held_out = [row for row in finding.data["points"] if row.get("low") is not None]
    told = [f"{_told(row)}, {with_interval(row['fitted'], row['low'], row['high'])} was predicted" for row in held_out]
    rows = pd.DataFrame(held_out).assign(told=told)
    rows["inside"] = (rows["loss"] >= rows["low"]) & (rows["loss"] <= rows["high"])
    ends = [min(rows["loss"].min(), rows["low"].min()), max(rows["loss"].max(), rows["high"].max())]
    scale = alt.Scale(domain=[ends[0] * 0.995, ends[1] * 1.005], zero=False, nice=False)
    x = alt.X("loss:Q", title="loss as it was", scale=scale)
    color = alt.condition("datum.inside", alt.value(COLORS[0]), alt.value(COLORS[5]))
    line = pd.DataFrame({"loss": ends, "fitted": ends})
    base = alt.Chart(rows).encode(x=x, color=color)
    return alt.layer(
        alt.Chart(line).mark_line(color="#888", strokeDash=[3, 3]).encode(x=x, y=alt.Y("fitted:Q", scale=scale)),
        base.mark_rule().encode(y=alt.Y("low:Q", title="loss as predicted", scale=scale), y2="high:Q"),
        base.mark_circle(size=40, opacity=1).encode(y=alt.Y("fitted:Q", scale=scale), tooltip=alt.Tooltip("told:N")),
    ).properties(width=300, height=300, title=_title(finding))


def _title(finding: Finding) -> Any:
    of = ", ".join(str(value) for name, value in finding.subject.items() if name in ("of", "data"))
    warned = "NOT TO BE TRUSTED (see the table)" if finding.value == 0 else of
    return {"text": finding.data["law"], "subtitle": warned}


def _told(row: dict[str, Any]) -> str:
    return (
        f"{count(row['parameters'])} parameters, {count(row['tokens'])} tokens, {row['compute']:.3g} FLOPs: "
        f"{row['loss']:.4g}, fitted {row['fitted']:.4g}"
    )


CHARTS = (
    Chart("scaling_fit_compute", ABOUT_COMPUTE, compute),
    Chart("scaling_fit_predictions", ABOUT_PREDICTIONS, predictions),
)
