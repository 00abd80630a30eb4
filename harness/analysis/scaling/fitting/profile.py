"""Profile likelihood: how much worse the fit gets when one parameter is held, and whether the data determine it at all.

A parameter whose profile stays flat over decades is not identified: its fitted value is an accident of the optimizer,
however small the residuals. (The R_D* and R_N* of Muennighoff et al. 2023 are such a case.)

Source: Venzon & Moolgavkar 1988; the likelihood is Laplace's for robust objectives and Gauss's for squares, with the
scale profiled out, so that the ratio is n log(S / S_min), or twice that for Laplace, and between them for Huber's loss,
by how many residuals are within its threshold. It takes the runs as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit
from harness.analysis.scaling.fitting.least_squares import solve
from harness.analysis.scaling.fitting.objective import rounding
from harness.analysis.scaling.laws.law import Floats

POINTS = 41
"""Values at which a profile is taken."""
BETTER = 1e-4
"""A held value that lowers the objective by more than this part of it says that the optimum was missed."""
REFINEMENTS, FEWEST_INSIDE = 3, 9
"""How often values are added, at most, until so many are inside the region: its ends are read between two of them."""
SWEEPS, ITERATIONS = 3, 150
"""How long a profile is pursued where it stays flat: the ends of such a region are not read to a digit anyway."""
MANY_RUNS, NEAR_ERRORS = 5_000, 8.0
"""From so many runs on the values are first taken within so many standard errors, where the region is then."""
FLAT_DECADES = 1.0
"""A positive parameter whose region spans more than this, or has no end, is not identified."""


@dataclass(frozen=True)
class Profile:
    """One parameter's profile."""

    name: str
    values: Floats
    """(points,) at which it was held, natural."""
    ratio: Floats
    """(points,) likelihood-ratio statistic: 0 at the optimum."""
    low: float | None
    """Lower end of the 95 % region; None where it does not end within the values."""
    high: float | None
    identified: bool
    why: str
    """Why it is not identified; empty where it is."""


def profile(fit: Fit, name: str, low: float | None = None, high: float | None = None, points: int = POINTS) -> Profile:
    """Hold a parameter at values around its optimum, fit the others, and see how the objective grows.

    low, high: natural ends of the values; left out, three decades either way for a positive parameter and 1 either way
    for an exponent. ValueError for an unknown name.
    """
    column = fit.law.names.index(name)
    if low is None and high is None and len(fit.runs) >= MANY_RUNS and (near := _near(fit, column)) is not None:
        found = _profile(fit, name, *near, points)
        if found.low is not None and found.high is not None:
            return found
    return _profile(fit, name, low, high, points)


def _near(fit: Fit, column: int) -> tuple[float, float] | None:
    """Natural values some standard errors either way of the optimum, by the curvature there; None where it has none."""
    posed, law = fit.problem, fit.law
    plain = law.uncentered(fit.internal, posed.center)
    _, derivative = law.evaluate(plain[None], posed.logs + posed.center[:, None])
    residuals = fit.residuals
    pull = residuals * fit.objective.weights(residuals)
    share = float(np.mean(np.abs(residuals) <= fit.objective.threshold))
    scale = np.sqrt((derivative[0] ** 2).sum(axis=1))
    if not (scale > 0).all() or share * len(residuals) <= 2 * len(plain):
        return None
    bread = np.linalg.pinv((derivative[0] / scale[:, None]) @ (derivative[0] / scale[:, None]).T)
    error = (
        float(np.sqrt(bread[column, column] * (pull @ pull) / (len(residuals) - len(plain)))) / share / scale[column]
    )
    ends = plain[column] - NEAR_ERRORS * error, plain[column] + NEAR_ERRORS * error
    if not np.isfinite(ends).all() or not error > 0:
        return None
    return (float(np.exp(ends[0])), float(np.exp(ends[1]))) if law.parameters[column].space == "log" else ends


def _profile(fit: Fit, name: str, low: float | None, high: float | None, points: int) -> Profile:
    column = fit.law.names.index(name)
    parameter = fit.law.parameters[column]
    best = float(fit.natural[column])
    held, plain = _held(best, parameter.space == "log", low, high, points)
    value = _objective_where_held(fit, column, plain)
    for _ in range(REFINEMENTS):
        held, plain, value = _refined(fit, column, held, plain, value, parameter.space == "log")
        ratio = _ratio(fit, value, min(fit.value, float(value.min())))
        inside = np.flatnonzero(ratio <= _limit())
        if len(inside) >= FEWEST_INSIDE:
            break
    low_end = None if inside[0] == 0 else _crossing(held, ratio, inside[0] - 1)
    high_end = None if inside[-1] == len(held) - 1 else _crossing(held, ratio, inside[-1])
    why = _why_not(name, held, low_end, high_end, parameter.space == "log")
    if _missed(fit, float(value.min())):
        why = f"{name} held at {held[value.argmin()]:.4g} fits better than the optimum that was found: use more starts"
    return Profile(name, held, ratio, low_end, high_end, not why, why)


def _missed(fit: Fit, least: float) -> bool:
    """Whether an objective found elsewhere is below the optimum's by more than rounding.

    Where a law fits exactly both are sums of squared rounding errors: which is smaller depends on the order in which
    this machine adds.
    """
    exact = rounding(fit.objective, len(fit.runs))
    return max(least, exact) < max(fit.value, exact) * (1 - BETTER)


def _held(best: float, log: bool, low: float | None, high: float | None, points: int) -> tuple[Floats, Floats]:
    """The values at which the parameter is held, its optimum among them: natural, and as the solver has them."""
    if not log:
        ends = (best - 1 if low is None else low, best + 1 if high is None else high)
        held = np.sort(np.append(np.linspace(*ends, points), best))
        return held, held
    plain = np.linspace(
        np.log(best / 1e3 if low is None else low), np.log(best * 1e3 if high is None else high), points
    )
    plain = np.sort(np.append(plain, np.log(best)))
    return np.exp(plain), plain


def _ratio(fit: Fit, value: Floats, least: float) -> Floats:
    factor = 2 * len(fit.runs) / _degree(fit)
    least = max(least, rounding(fit.objective, len(fit.runs)))
    return np.asarray(factor * np.log(np.maximum(value, least) / least))


def _degree(fit: Fit) -> float:
    """With which power of the residuals the objective grows at the optimum: 2 for squares, 1 for LAD."""
    residuals = fit.residuals
    least = rounding(fit.objective, len(residuals))
    if fit.value <= least:
        return 2.0
    return float((residuals**2 * fit.objective.weights(residuals)).sum() / fit.objective.losses(residuals).sum())


def _refined(
    fit: Fit, column: int, held: Floats, plain: Floats, value: Floats, log: bool
) -> tuple[Floats, Floats, Floats]:
    """The same with as many values again where the region is: the first ones may be far apart for it."""
    inside = np.flatnonzero(_ratio(fit, value, min(fit.value, float(value.min()))) <= 2 * _limit())
    more = np.linspace(plain[max(inside[0] - 1, 0)], plain[min(inside[-1] + 1, len(plain) - 1)], len(plain))
    found = _objective_where_held(fit, column, more)
    order = np.argsort(np.concatenate([plain, more]), kind="stable")
    plain, value = np.concatenate([plain, more])[order], np.concatenate([value, found])[order]
    return np.exp(plain) if log else plain, plain, value


def _limit() -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, 1))


def _objective_where_held(fit: Fit, column: int, plain: Floats) -> Floats:
    """The best objective at each held value: begun at every near optimum, then at what the neighbors found."""
    posed, law = fit.problem, fit.law
    logs = posed.logs + posed.center[:, None]  # uncentered: what is held is the published parameter, not a centered one
    free = np.ones(len(law.parameters), dtype=bool)
    free[column] = False
    value = np.full(len(plain), np.inf)
    found = np.tile(law.uncentered(fit.internal, posed.center), (len(plain), 1))

    def attempt(starts: Floats) -> bool:
        """Whether anything got better."""
        nonlocal value, found
        starts = starts.copy()
        starts[:, column] = plain
        tried = solve(
            lambda at: law.evaluate(at, logs),
            starts,
            posed.response,
            np.ones(len(posed.response)),
            fit.objective,
            law.longest_steps,
            free=free,
            tolerance=1e-9,
            iterations=ITERATIONS,
        )
        better = tried.objective < value
        gained = bool((tried.objective < value * (1 - 1e-6)).any())
        value = np.where(better, tried.objective, value)
        found = np.where(better[:, None], tried.internal, found)
        return gained

    for optimum in fit.optima[:4]:
        attempt(np.tile(law.uncentered(optimum, posed.center), (len(plain), 1)))
    for _ in range(SWEEPS):
        down = attempt(np.concatenate([found[:1], found[:-1]]))
        if not (attempt(np.concatenate([found[1:], found[-1:]])) or down):
            break
    return value


def _crossing(held: Floats, ratio: Floats, index: int) -> float:
    """Where the ratio crosses the limit between two neighbors, by a straight line."""
    left, right = ratio[index], ratio[index + 1]
    share = (_limit() - left) / (right - left)
    return float(held[index] + share * (held[index + 1] - held[index]))


def _why_not(name: str, held: Floats, low: float | None, high: float | None, log: bool) -> str:
    """Why a profile does not identify its parameter; empty where it does."""
    bottom, top = held[0] if low is None else low, held[-1] if high is None else high
    region = f"{'below ' if low is None else ''}{bottom:.3g} to {'beyond ' if high is None else ''}{top:.3g}"
    if low is None or high is None:
        return f"{name} is not identified: its 95 % region goes on from {region}"
    if log and math.log10(top / bottom) > FLAT_DECADES:
        return f"{name} is not identified: its 95 % region, {region}, spans {math.log10(top / bottom):.1f} decades"
    return ""
