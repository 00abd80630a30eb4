"""`over_optimization`: whether true reward falls while a policy goes on to gain what it is optimized for.

Reads cells of `responses` that have a `judge` (gold), a `proxy` (what was optimized) and a `reference` (the start). A
curve is the models of one training along their divergence. Its peak of gold is chosen on half of the prompts, and the
fall from there to the end tested on the other half; Holm's correction is over all curves, seeds and tries. It is
over-optimization where gold falls while the proxy rises. The best of n, computed from the samples of the reference, is
a curve, too. The laws of Gao et al. 2022 are fitted to each.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.charts import over_optimization as chart
from harness.evidence.selection import selects
from harness.limits import MOST_DOCUMENTS
from harness.results.finding import Finding
from harness.results.record import Scalar, Status
from harness.results.run import Run

NAME = "over_optimization"


class OverOptimizationSettings(AnalysisSettings):
    """Which curves, and how many tests there were."""

    curves: dict[str, list[str]] = Field(min_length=1)
    """By name, such as `beta 0.3`: the models of one training, in any order. Those that were not reached are left
    out."""
    controls: list[str] = Field(default=[])
    """Of the curves those that are optimized for gold itself, and must not fall."""
    best_of: list[Annotated[int, Field(ge=1, le=MOST_DOCUMENTS)]] = Field(default=[2, 4, 8, 16, 32, 64, 128, 256])
    """The n of the best of n by the proxy, as far as the reference has samples; empty: none."""
    tries: int = Field(default=1, ge=1, le=1000)
    """Which try this is, with seeds of its own: all tests of earlier ones count in the correction."""
    accuracy: list[float] = Field(default=[0.62, 0.8], min_length=2, max_length=2)
    """Between which a proxy's accuracy on samples is taken to be that of a proxy: neither blind nor gold."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells of `responses`; left out, all."""


def run(run: Run, settings: OverOptimizationSettings) -> list[Finding]:
    """Points, a verdict, the proxy's accuracy and a fitted law of each curve and seed."""
    from harness.analysis.alignment.over_optimization_findings import findings, told
    from harness.analysis.alignment.reward_curve import readable

    unknown = [name for name in settings.controls if name not in settings.curves]
    if unknown:
        return [told(f"`controls` names '{unknown[0]}', which is no curve; there are {', '.join(settings.curves)}")]
    cells = [
        cell
        for cell in run.cells
        if cell.measure == "responses"
        and cell.status is Status.OK
        and cell.settings.get("judge")
        and cell.settings.get("reference")
        and selects(settings.where, cell)
    ]
    if not cells:
        return [told("nothing to test: no cell of `responses` with a `judge` and a `reference` ended well")]
    if why := readable(cells):
        return [told(why)]
    return findings(
        run,
        cells,
        settings.curves,
        controls=settings.controls,
        best_of=settings.best_of,
        tries=settings.tries,
        accuracy=settings.accuracy,
    )


OVER_OPTIMIZATION = Analysis(
    name=NAME,
    about="Whether gold falls while the proxy rises, along the divergence from the start; Gao et al.'s laws",
    settings=OverOptimizationSettings,
    run=run,
    charts=(chart.CHART,),
)
