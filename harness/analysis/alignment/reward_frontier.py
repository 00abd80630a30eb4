"""`reward_frontier`: what each policy scores, and how far it went from the reference for it.

Reads cells of `responses` that have a `judge` and a `reference`: a policy is a point (divergence, score). Of the cell
of the reference itself, with many `samples` per prompt, two curves are computed:

* best-of-n by its `proxy` (else by the judge): the expected score, at log n - (n - 1) / n nats, which is an upper bound
  of the divergence, exact where no two samples tie;
* the ceiling: the reference reweighted by exp(score / beta), which scores most of all policies at its divergence. It is
  given where the mean effective sample size of the prompts is at least 100: with fewer the estimate falls below the
  truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.charts import reward_frontier as chart
from harness.errors import UserError
from harness.evidence.selection import selects
from harness.limits import MOST_DOCUMENTS
from harness.results.finding import Finding
from harness.results.record import CellResult, Record, Scalar, Status
from harness.results.run import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from harness.statistics.intervals import Interval

MEASURE = "responses"
LEAST_EFFECTIVE = 100.0
BETAS = 24
"""Points of the ceiling, log-spaced."""
DEVIATIONS = (0.05, 20.0)
"""Betas of the ceiling, in standard deviations of the reference's scores."""


class RewardFrontierSettings(AnalysisSettings):
    """What is drawn."""

    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells of `responses`; left out, all."""
    best_of: list[Annotated[int, Field(ge=1, le=MOST_DOCUMENTS)]] = Field(
        default=[1, 2, 4, 8, 16, 32, 64, 128, 256], min_length=1
    )
    """The n of best-of-n, as far as there are samples."""


def run(run: Run, settings: RewardFrontierSettings) -> list[Finding]:
    """A finding per policy, per n of best-of-n and per beta of the ceiling."""
    cells = [
        cell
        for cell in run.cells
        if cell.measure == MEASURE and cell.status is Status.OK and selects(settings.where, cell)
    ]
    judged = [cell for cell in cells if cell.settings.get("judge")]
    found = [_policy(cell) for cell in judged if cell.settings.get("reference")]
    for cell in judged:
        of_reference = [other for other in judged if other.settings.get("reference") == cell.model]
        is_reference = cell.settings.get("reference") in (None, cell.model) and (of_reference or not found)
        if is_reference and cell.settings["samples"] != 1:
            try:
                found += _curves(run, cell, settings)
            except UserError as error:
                found.append(Finding(analysis="reward_frontier", name="best_of_n", note=str(error)))
    if not found:
        note = "nothing to draw: no cell of `responses` with a `judge` and a `reference` ended well"
        return [Finding(analysis="reward_frontier", name="policy", note=note)]
    return found


def _policy(cell: CellResult) -> Finding:
    score, kl = _record(cell, "response_score"), _record(cell, "response_kl")
    subject = _subject(cell)
    if score is None or kl is None or score.value is None or kl.value is None:
        return Finding(analysis="reward_frontier", name="policy", subject=subject, note="it has no score")
    return Finding(
        analysis="reward_frontier",
        name="policy",
        value=score.value,
        unit="score",
        low=score.low,
        high=score.high,
        interval=score.interval,
        n=score.n,
        subject=subject,
        note=f"at {kl.value:.3g} nats/response",
        data={"kl": kl.value, "kl_low": kl.low, "kl_high": kl.high, "model": cell.model},
    )


def _subject(cell: CellResult) -> dict[str, Scalar]:
    named = {"model": cell.model, "judge": cell.settings["judge"]}
    return {**named, **{axis: cell.axes[axis] for axis in ("seed",) if axis in cell.axes}}


def _record(cell: CellResult, metric: str) -> Record | None:
    return next((one for one in cell.records if one.metric == metric and one.part is None), None)


def _curves(run: Run, cell: CellResult, settings: RewardFrontierSettings) -> list[Finding]:
    import numpy as np

    from harness.statistics.best_of_n import best_of_n, divergence_bound
    from harness.statistics.gibbs import ceiling

    samples = run.samples_of(cell)
    proxy = "proxy" if "proxy" in samples and samples["proxy"].notna().any() else "score"
    scores, by = (_by_prompt(samples, column) for column in ("score", proxy))
    whole = np.isfinite(scores).all(1) & np.isfinite(by).all(1)
    scores, by = scores[whole], by[whole]
    if not len(scores):
        return [Finding(analysis="reward_frontier", name="best_of_n", note="no prompt has all its samples scored")]
    subject = _subject(cell) | {"chosen_by": str(cell.settings.get("proxy") or cell.settings["judge"])}
    found = []
    for n in settings.best_of:
        if n > scores.shape[1]:
            continue
        means = np.array([best_of_n(one, other, n) for one, other in zip(by, scores, strict=True)])
        found.append(_point("best_of_n", _mean(means), divergence_bound(n), subject | {"n": n},
                            "KL is at most this: log n - (n - 1) / n"))  # fmt: skip
    spread = float(scores.std()) or 1.0
    left_out = 0
    for beta in np.geomspace(DEVIATIONS[1] * spread, DEVIATIONS[0] * spread, BETAS):
        top = ceiling(scores, float(beta))
        effective = float(top.effective.mean())
        if effective < LEAST_EFFECTIVE:
            left_out += 1
            continue
        found.append(
            _point(
                "ceiling",
                _mean(top.score),
                float(top.divergence.mean()),
                _subject(cell) | {"beta": float(beta)},
                f"effective sample size {effective:.0f} of {scores.shape[1]}",
            )
        )
    if left_out:
        note = (
            f"{left_out} of {BETAS} points of the ceiling are not given: their effective sample size is below "
            f"{LEAST_EFFECTIVE:.0f} a prompt; draw more `samples` from {cell.model} to see further"
        )
        found.append(Finding(analysis="reward_frontier", name="ceiling", subject=_subject(cell), note=note))
    return found


def _by_prompt(samples: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """(prompts, samples) of a column; a prompt that lacks a sample has NaN there."""
    import numpy as np

    table = samples.pivot(index="prompt", columns="sample", values=column)
    return np.asarray(table.to_numpy(dtype=float))


def _mean(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    import numpy as np

    from harness.statistics.intervals import ratio_of_sums

    return ratio_of_sums(values, np.ones(len(values)))


def _point(name: str, score: Interval, kl: float, subject: dict[str, Scalar], note: str) -> Finding:
    return Finding(
        analysis="reward_frontier",
        name=name,
        value=score.value,
        unit="score",
        low=score.low,
        high=score.high,
        interval="t over prompts" if score.low is not None else "none: one prompt",
        n=score.n,
        subject=subject,
        note=f"at {kl:.3g} nats/response; {note}" if math.isfinite(kl) else note,
        data={"kl": kl, "model": str(subject["model"])},
    )


REWARD_FRONTIER = Analysis(
    name="reward_frontier",
    about="Score against divergence from the reference: policies, best-of-n, and the most that is possible",
    settings=RewardFrontierSettings,
    run=run,
    charts=(chart.CHART,),
)
