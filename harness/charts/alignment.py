"""How stages of alignment went, step by step: a panel for each number that is reported, a line for each model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.charts.chart import RunChart
from harness.charts.style import Values, palette
from harness.errors import UserError
from harness.measures.alignment import ALIGNMENT, REPORTED
from harness.results.record import CellResult, Status
from harness.results.run import Run

if TYPE_CHECKING:
    import altair as alt

ABOUT = (
    "What each stage of alignment reported by step: a panel for each number, a line for each model, means over the "
    "steps since the report before. One training each, so no intervals: give the matrix several seeds."
)
PANELS = ("score", "kl", "kl_k1", "loss", "validation_accuracy", "entropy", "length", "clip_fraction", "dead_groups")
"""Of what is reported, in this order; the rest is in the samples."""
COLUMNS = 3


def curves(run: Run) -> alt.ConcatChart | None:
    """A grid of panels; None where no stage reported anything."""
    rows = curve_values(run)
    if not rows:
        return None
    import altair as alt
    import pandas as pd

    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    color = alt.Color(
        "model:N",
        sort=models,
        title=None,
        scale=alt.Scale(domain=models, range=palette(models)),
        legend=alt.Legend(orient="top") if len(models) > 1 else None,
    )
    panels = []
    for number in dict.fromkeys(str(row["number"]) for row in rows):
        here = pd.DataFrame([row for row in rows if row["number"] == number])
        metric = REPORTED[number]
        title = metric.name.replace("_", " ") + ("" if metric.unit == "1" else f", {metric.unit}")
        panels.append(
            alt.Chart(here, title=alt.Title(title, fontSize=12))
            .mark_line(point=alt.OverlayMarkDef(size=18))
            .encode(
                x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, grid=False)),
                y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
                color=color,
                tooltip=[alt.Tooltip(f"{field}:N") for field in ("model", "method", "step", "told")],
            )
            .properties(width=250, height=150)
        )
    return alt.concat(*panels, columns=COLUMNS).resolve_scale(color="shared")


def curve_values(run: Run) -> Values:
    """A row for each number of each report."""
    rows: Values = []
    for cell in run.cells:
        if cell.measure != ALIGNMENT.name or cell.status is not Status.OK:
            continue
        try:
            samples = run.samples_of(cell)
        except UserError:
            continue  # the report says elsewhere that they are damaged
        for number in PANELS:
            if number not in samples:
                continue
            for step, method, value in zip(samples["step"], samples["method"], samples[number], strict=True):
                if isinstance(value, float) and math.isfinite(value):
                    told = f"{value:.4g} {REPORTED[number].unit}".removesuffix(" 1")
                    rows.append(
                        {"model": named(cell), "method": method, "number": number, "step": int(step)}
                        | {"value": value, "told": told}
                    )
    return sorted(rows, key=lambda row: PANELS.index(str(row["number"])))


def named(cell: CellResult) -> str:
    """The model, and which of its trainings."""
    seed = cell.axes.get("seed")
    return cell.model if seed is None else f"{cell.model} seed={seed}"


CURVES = RunChart("alignment", ABOUT, curves, measure=ALIGNMENT.name)
