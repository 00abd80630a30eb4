"""Is an ability emergent? Tests and verdict on curves of counts (right of asked) over scale, one per task.

The p-values of trend and break are adjusted over the tasks (Benjamini & Hochberg 1995). How many false alarms come out
is measured in `benchmarks/emergence_calibration.py`.

The tests know the noise of a finite number of items. They don't know what another training seed would change: where
points scatter more than their items explain, `misfit` is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.analysis.emergence.counts_over_scale import Counts, counts_over_scale
from harness.analysis.emergence.verdict import LEAST_SCALES, Emergence, Verdict, decide
from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from harness.statistics.binomial_curve import Hinge, Smooth
    from harness.statistics.breakthroughness import Breakthroughness
    from harness.statistics.chance_gate import ChanceGate
    from harness.statistics.curve_test import BootstrapTest, Forward

    Floats = NDArray[np.float64]


def emergence(
    frame: pd.DataFrame,
    *,
    smaller_is_stronger: bool = False,
    alpha: float = 0.05,
    replicates: int = 1000,
    rise: float = 0.2,
    seed: int = 0,
) -> list[Emergence]:
    """The verdict on each task of a table of counts.

    frame: columns `task`, `scale` (parameters, compute, loss: positive), `correct` and `n` (items); optionally
    `chance` (a probability, 0 where it lacks) and `n_effective` (what n is worth where items come in clusters). Rows of
    one task at one scale (seeds) are added up.
    smaller_is_stronger: whether the scale is one that falls, such as a loss.
    rise: a curve is only called flat if it had shown a rise of so much above chance with 80 % power.
    replicates: of each test's bootstrap; where these are too few for one of so many tasks to stand out, its tests get
    as many as that takes (tasks / alpha).
    UserError names the column, the row or the argument that can't be used.
    """
    for name, value in (("alpha", alpha), ("rise", rise)):
        if not 0 < value < 1:
            raise UserError(f"a probability between 0 and 1 is wanted, not {value}", place=f"emergence: {name}")
    if replicates < 1:
        raise UserError(f"{replicates} replicates give no p-value", place="emergence: replicates")
    found = unadjusted(frame, smaller_is_stronger=smaller_is_stronger, alpha=alpha, replicates=replicates, seed=seed)
    coarse = _too_coarse(found, replicates, alpha)
    if coarse:
        again = frame[frame["task"].astype(str).isin(coarse)]
        finer = math.ceil(len(found) / alpha)
        resolved = unadjusted(again, smaller_is_stronger=smaller_is_stronger, alpha=alpha, replicates=finer, seed=seed)
        by_task = {item.task: item for item in resolved}
        found = [by_task.get(item.task, item) for item in found]
    trends = _adjusted([item.p_trend for item in found])
    breaks = iter(_adjusted([item.p_break for item in found if item.p_break is not None]))
    adjusted = [
        replace(item, p_trend_adjusted=trend, p_break_adjusted=None if item.p_break is None else next(breaks))
        for item, trend in zip(found, trends, strict=True)
    ]
    decided = ((item, *decide(item, alpha, rise)) for item in adjusted)
    return [replace(item, verdict=verdict, why=why) for item, verdict, why in decided]


def unadjusted(
    frame: pd.DataFrame, *, smaller_is_stronger: bool, alpha: float, replicates: int, seed: int
) -> list[Emergence]:
    """The tests of each task by itself: p-values are not adjusted yet, and nothing is decided. See `emergence`."""
    import numpy as np

    from harness.statistics.binomial_curve import fit_hinge, fit_smooth, positions
    from harness.statistics.breakthroughness import null_calibrated
    from harness.statistics.chance_gate import chance_gate
    from harness.statistics.curve_test import break_test, forward_prediction, trend_test

    curves = counts_over_scale(frame, falling=smaller_is_stronger)
    alike: dict[tuple[bytes, bytes, float], list[Counts]] = {}
    for curve in curves:
        alike.setdefault((curve.scale.tobytes(), curve.n_effective.tobytes(), curve.chance), []).append(curve)
    found = {}
    for members in alike.values():  # tasks of one design are tested in one go
        _, scale, _, _, worth, chance = members[0]
        x = positions(1 / scale if smaller_is_stronger else scale)
        counts = np.stack([curve.correct * worth / curve.n for curve in members])
        enough = len(x) >= LEAST_SCALES
        trend = trend_test(x, counts, worth, chance, replicates, seed, alpha)
        broken = break_test(x, counts, worth, chance, replicates, seed, alpha) if enough else None
        ahead = forward_prediction(x, counts, worth, replicates, seed) if enough else [None] * len(members)
        smooth, hinge = fit_smooth(x, counts, worth, chance), fit_hinge(x, counts, worth)
        for row, curve in enumerate(members):
            found[curve.task] = _described(
                curve,
                x,
                row,
                smooth,
                hinge,
                trend,
                broken,
                ahead[row],
                null_calibrated(counts[row], worth, replicates, seed=seed),
                chance_gate(counts[row], worth, chance, alpha),
            )
    return [found[curve.task] for curve in curves]


def emergence_frame(found: Sequence[Emergence]) -> pd.DataFrame:
    """One row per task: verdict, tests, break, rise, B and L beside their null quantiles, forward prediction."""
    import pandas as pd

    rows = []
    for item in found:
        b, ahead = item.breakthroughness, item.forward
        rows.append(
            {
                "task": item.task,
                "verdict": str(item.verdict),
                "why": item.why,
                "scales": len(item.scale),
                "chance": item.chance,
                "first": item.correct[0] / item.n[0],
                "last": item.correct[-1] / item.n[-1],
                "rise": item.rise,
                "rise_low": item.rise_low,
                "rise_high": item.rise_high,
                "above_chance_from": None if item.gate.first is None else item.scale[item.gate.first],
                "p_trend": item.p_trend_adjusted,
                "p_break": item.p_break_adjusted,
                "break_scale": item.break_scale,
                "break_low": item.break_low,
                "break_high": item.break_high,
                "misfit": item.misfit,
                "breakthroughness": b.breakthroughness,
                "null_breakthroughness": b.null_breakthroughness,
                "linearity": b.linearity,
                "null_linearity": b.null_linearity,
                "predicted_upper": None if ahead is None else ahead.upper,
                "exceeds_prediction": None if ahead is None else ahead.exceeds,
            }
        )
    return pd.DataFrame(rows)


def _described(
    curve: Counts,
    x: Floats,
    row: int,
    smooth: Smooth,
    hinge: Hinge,
    trend: BootstrapTest,
    broken: BootstrapTest | None,
    ahead: Forward | None,
    b: Breakthroughness,
    gate: ChanceGate,
) -> Emergence:
    """A tested curve, one row of its design's tests and fits, with what they say: break, rise, misfit, what to draw."""
    import numpy as np
    from scipy.stats import chi2

    from harness.statistics.binomial_curve import log_likelihood

    task, scale, correct, n, worth, chance = curve
    m, counts = len(scale), correct * worth / n
    flat = int(hinge.flat[row])
    fits = max(float(smooth.log_likelihood[row]), float(hinge.log_likelihood[row]))
    deviance = 2 * (float(log_likelihood(counts, worth, counts / worth)) - fits)
    at = np.linspace(x[0] - 0.15, x[-1] + 0.15, 241)
    place = _break(x, hinge.intercept[row], hinge.slope[row], hinge.plateau[row], flat)
    drawn_hinge = np.full(len(at), float(hinge.plateau[row]))
    if place is not None:
        line = 1 / (1 + np.exp(-(hinge.intercept[row] + hinge.slope[row] * at)))
        drawn_hinge = np.where(at > place, line, drawn_hinge)
    likely = 2 + np.flatnonzero(hinge.profile[row] >= hinge.log_likelihood[row] - 1.92)

    def scale_at(where: float) -> float:
        return float(np.exp(np.interp(where, x, np.log(scale))))

    ends = (float(scale[likely[0] - 1]), float(scale[likely[-1]])) if len(likely) else (0.0, 0.0)
    step = (at - x[0]) * math.log(scale[-1] / scale[0]) / (x[-1] - x[0])
    low, high = _difference(counts[0], worth[0], counts[-1], worth[-1])
    first, last = float(correct[0] / n[0]), float(correct[-1] / n[-1])
    p = hinge.p[row]
    return Emergence(
        task=task,
        verdict=Verdict.NOT_DECIDED,
        why="",
        scale=scale,
        correct=correct,
        n=n,
        n_effective=worth,
        chance=chance,
        gate=gate,
        p_trend=float(trend.p_value[row]),
        p_break=None if broken is None else float(broken.p_value[row]),
        p_trend_adjusted=float(trend.p_value[row]),
        p_break_adjusted=None if broken is None else float(broken.p_value[row]),
        break_scale=None if place is None else scale_at(place),
        break_low=None if place is None else min(ends),
        break_high=None if place is None else max(ends),
        flat=flat,
        in_one_gap=float((p[flat] - p[0]) / (p[-1] - p[0])) if flat < m and p[-1] > p[0] else 0.0,
        rise=last - first,
        rise_low=low,
        rise_high=high,
        misfit=float(chi2.sf(max(0.0, deviance), max(1, m - 4))),
        items_for_break=None if broken is None else _items_for_break(broken, row, worth),
        breakthroughness=b,
        forward=ahead,
        ceiling=float(smooth.floor[row] + (1 - smooth.floor[row]) * smooth.ceiling[row]),
        curve_scale=scale[0] * np.exp(step),
        curve_smooth=smooth.at(at)[row],
        curve_hinge=drawn_hinge,
    )


def _break(x: Floats, intercept: float, slope: float, plateau: float, flat: int) -> float | None:
    """Where the line leaves the plateau; the middle of the gap where it jumps, None where the hinge rises nowhere."""
    if flat >= len(x):
        return None
    before, after = float(x[flat - 1]), float(x[flat])
    if slope > 0 and 0 < plateau < 1:
        crossing = (math.log(plateau / (1 - plateau)) - intercept) / slope
        if before <= crossing <= after:
            return float(crossing)
    return (before + after) / 2


def _difference(y0: float, n0: float, y1: float, n1: float) -> tuple[float, float]:
    """95 % interval of the second share minus the first: Newcombe's (1998, method 10), as if of different items.

    Models that answered the same items differ less by chance than this says.
    """
    from harness.statistics.proportions import wilson

    first, last = wilson(y0, n0), wilson(y1, n1)
    assert first.low is not None and first.high is not None and last.low is not None and last.high is not None
    difference = last.value - first.value
    low = math.hypot(last.value - last.low, first.high - first.value)
    high = math.hypot(last.high - last.value, first.value - first.low)
    return difference - low, difference + high


def _items_for_break(test: BootstrapTest, row: int, n: Floats) -> float | None:
    """About how many items a scale, for 80 % power at a break of the fitted shape.

    Twice the expected gain grows with n like a non-centrality; it must exceed twice the critical gain by 0.84 of its
    standard deviation, about 2 sqrt(non-centrality). What the null gains in the middle is taken off first.
    """
    signal = 2 * float(test.gain[row] - test.null_median[row])
    if signal <= 0:
        return None
    needed = (0.84 + math.sqrt(0.84**2 + 2 * float(test.null_critical[row]))) ** 2
    return float(n.min()) * max(1.0, needed / signal)


def _too_coarse(found: Sequence[Emergence], replicates: int, alpha: float) -> set[str]:
    """The tasks whose p-value is the least that so many replicates can give, and not small enough after adjustment:
    one task of many could never stand out."""
    tests = (
        [(item.task, item.p_trend) for item in found],
        [(item.task, item.p_break) for item in found if item.p_break is not None],
    )
    least = 1 / (1 + replicates)
    return {
        task
        for test in tests
        for (task, p), adjusted in zip(test, _adjusted([p for _, p in test]), strict=True)
        if p <= least and adjusted > alpha
    }


def _adjusted(p_values: list[float]) -> list[float]:
    """Benjamini-Hochberg adjusted, in the order given."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values)] if p_values else []
