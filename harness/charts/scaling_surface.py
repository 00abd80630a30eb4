"""A fitted law over sizes and tokens, what it leaves over, and how well the data determine it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.charts.chart import Chart
from harness.charts.scaling_fit import fits, log_scale
from harness.charts.style import COLORS
from harness.results.finding import Finding

if TYPE_CHECKING:
    import altair as alt

ABOUT_SURFACE = (
    "The fitted loss over size and tokens, with the runs that it was fitted to (those held out are orange). The line "
    "is the best size for each budget."
)
ABOUT_RESIDUALS = (
    "What the law leaves over, as a part of the loss, against compute. A trend says that the law has the wrong shape; "
    "a run far off counts little with a robust objective and much with least squares."
)
ABOUT_PROFILES = (
    "How much worse the fit gets when one parameter is held and the others are fitted again (likelihood ratio). The "
    "rule is the 95 % limit: where the curve stays below it over decades, the data do not determine the parameter."
)
LIMIT = 3.84
"""95 % quantile of chi-square with one degree of freedom."""


def surface(findings: Sequence[Finding]) -> alt.HConcatChart | None:
    """A panel for each of the first three fits over sizes and tokens; None where there is none."""
    drawn = [finding for finding in fits(findings) if finding.data.get("contour")]
    if not drawn:
        return None
    import altair as alt

    return alt.hconcat(*map(_surface, drawn[:3]), spacing=30)


def _surface(finding: Finding) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    data = finding.data
    x, y = log_scale("parameters", "parameters"), log_scale("tokens", "tokens")
    grid = pd.DataFrame(data["contour"])
    points = pd.DataFrame(data["points"])
    path = pd.DataFrame(data["frontier"])
    path["tokens"] = path["compute"] / 6 / path["parameters"]
    inside = path["parameters"].between(grid["parameters"].min(), grid["parameters_end"].max())
    inside &= path["tokens"].between(grid["tokens"].min(), grid["tokens_end"].max())
    color = alt.Color(
        "loss:Q",
        title="loss",
        scale=alt.Scale(type="log", scheme="viridis", reverse=True),
        legend=alt.Legend(format=".3~g"),
    )
    which = alt.condition("datum.held_out", alt.value(COLORS[1]), alt.value("#222"))
    return (
        alt.layer(
            alt.Chart(grid)
            .mark_rect(opacity=0.75)
            .encode(x=alt.X(**x), x2="parameters_end:Q", y=alt.Y(**y), y2="tokens_end:Q", color=color),
            alt.Chart(path[inside]).mark_line(color="white", strokeWidth=2).encode(x=alt.X(**x), y=alt.Y(**y)),
            alt.Chart(points).mark_circle(size=18, opacity=0.9).encode(x=alt.X(**x), y=alt.Y(**y), color=which),
        )
        .resolve_scale(color="independent")
        .properties(width=360, height=300, title=data["law"])
    )


def residuals(findings: Sequence[Finding]) -> alt.HConcatChart | None:
    """A panel for each of the first three fits; None where there is none."""
    drawn = fits(findings)
    if not drawn:
        return None
    import altair as alt

    return alt.hconcat(*map(_residuals, drawn[:3]), spacing=30)


def _residuals(finding: Finding) -> alt.LayerChart:
    import altair as alt
    import pandas as pd

    points = pd.DataFrame(finding.data["points"])
    points["residual"] = points["loss"] / points["fitted"] - 1
    which = alt.condition("datum.held_out", alt.value(COLORS[1]), alt.value(COLORS[0]))
    y = alt.Y("residual:Q", title="observed over fitted, less 1", axis=alt.Axis(format=".1%"))
    return alt.layer(
        alt.Chart(pd.DataFrame({"residual": [0.0]})).mark_rule(color="#888").encode(y=y),
        alt.Chart(points)
        .mark_circle(size=28, opacity=0.7)
        .encode(x=alt.X(**log_scale("compute", "training compute, FLOPs")), y=y, color=which),
    ).properties(width=360, height=200, title=finding.data["law"])


def profiles(findings: Sequence[Finding]) -> alt.FacetChart | None:
    """A panel per parameter of the first fit that has profiles; None where there is none."""
    drawn = [finding for finding in fits(findings) if finding.data.get("profiles")]
    if not drawn:
        return None
    import altair as alt
    import pandas as pd

    rows = pd.DataFrame(drawn[0].data["profiles"])
    rows["limit"] = LIMIT
    names = list(dict.fromkeys(rows["name"]))
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=4, format=".3~g"))
    y = alt.Y("ratio:Q", title="likelihood ratio", scale=alt.Scale(domain=[0, 20], clamp=True))
    layers = alt.layer(
        alt.Chart().mark_rule(strokeDash=[4, 3], color="#888").encode(y="limit:Q"),
        alt.Chart().mark_line(color=COLORS[0], clip=True).encode(x=x, y=y),
        data=rows,
    )
    return (
        layers.properties(width=150, height=130)
        .facet(alt.Facet("name:N", title=None, sort=names), columns=5)
        .resolve_scale(x="independent")
    )


CHARTS = (
    Chart("scaling_fit_surface", ABOUT_SURFACE, surface),
    Chart("scaling_fit_residuals", ABOUT_RESIDUALS, residuals),
    Chart("scaling_fit_profiles", ABOUT_PROFILES, profiles),
)
