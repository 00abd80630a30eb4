"""The minimum of loss over log size at a budget, by four curves through the same runs, for many weights at once.

| curve | what it takes the loss at fixed compute to be |
|---|---|
| quadratic | a parabola: what is published most. Symmetric, which the truth is not: its minimum moves with the grid |
| cubic | a parabola with a slant |
| akima | a smooth line through every point: no form at all, all of the noise |
| skewed | a falling and a rising exponential, whose two exponents all budgets share |

`skewed` is what A/N^alpha + B/D^beta is along a budget, with the height, the depth and the place of each budget left
free: exact for every such law wherever the sizes lie, where a parabola is exact nowhere. It is the remedy for grids
that are not centered; on narrow ones noise moves it more than a parabola.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.analysis.scaling.fitting.least_squares import solve
from harness.analysis.scaling.fitting.objective import SQUARES
from harness.analysis.scaling.laws.law import Floats

Interpolant = Literal["quadratic", "cubic", "akima", "skewed"]
INTERPOLANTS: tuple[Interpolant, ...] = ("quadratic", "cubic", "akima", "skewed")


def minima(
    name: Interpolant, at: Sequence[Floats], losses: Sequence[Floats], weights: Sequence[Floats]
) -> tuple[Floats, Floats]:
    """Where each budget's loss is lowest, and that loss: two arrays (batch, budgets).

    at: per budget the runs' log sizes (n_b,); losses: (n_b,); weights: (batch, n_b), not negative. Not a number where
    the curve has no minimum or has more parameters than there are sizes.
    """
    if name == "skewed":
        return _skewed(at, losses, weights)
    find = {"quadratic": _quadratic, "cubic": _cubic, "akima": _akima}[name]
    found = [find(*budget) for budget in zip(at, losses, weights, strict=True)]
    return np.stack([item[0] for item in found], axis=1), np.stack([item[1] for item in found], axis=1)


def _quadratic(at: Floats, loss: Floats, weights: Floats) -> tuple[Floats, Floats]:
    center, scale, c = _polynomial(at, loss, weights, 2)
    with np.errstate(all="ignore"):
        where = np.where(c[:, 2] > 0, -c[:, 1] / (2 * c[:, 2]), np.nan)
    return center + scale * where, c[:, 0] + where * (c[:, 1] + where * c[:, 2])


def _cubic(at: Floats, loss: Floats, weights: Floats) -> tuple[Floats, Floats]:
    center, scale, c = _polynomial(at, loss, weights, 3)
    where = _lowest_of_cubic(c[:, 1], c[:, 2], c[:, 3])
    return center + scale * where, c[:, 0] + where * (c[:, 1] + where * (c[:, 2] + where * c[:, 3]))


def _lowest_of_cubic(one: Floats, two: Floats, three: Floats) -> Floats:
    """The local minimum of one·t + two·t² + three·t³; not a number where there is none."""
    with np.errstate(all="ignore"):
        root = np.sqrt(two**2 - 3 * one * three)
        # the second form does not cancel where the curve is nearly a parabola that opens upwards
        return np.where(two > 0, -one / (two + root), (root - two) / (3 * three))


def _polynomial(at: Floats, loss: Floats, weights: Floats, degree: int) -> tuple[float, float, Floats]:
    """Weighted least squares in (at - center) / scale: center, scale and coefficients (batch, degree + 1), upwards."""
    center, scale = float(at.mean()), float(np.ptp(at)) or 1.0
    powers = ((at - center) / scale)[:, None] ** np.arange(degree + 1)
    normal = np.einsum("bn,np,nq->bpq", weights, powers, powers, optimize=True)
    right = weights @ (powers * loss[:, None])
    _, label = np.unique(np.round(at, 9), return_inverse=True)
    sizes = (weights @ np.eye(label.max() + 1)[label] > 0).sum(axis=1)
    solvable = sizes > degree
    normal[~solvable] = np.eye(degree + 1)
    coefficients = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    coefficients[~solvable] = np.nan
    return center, scale, coefficients


def _akima(at: Floats, loss: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Akima 1970 (J. ACM 17:4) through the mean loss of each size; the lowest place of its pieces and of its knots."""
    from scipy.interpolate import Akima1DInterpolator

    sizes, label = np.unique(np.round(at, 9), return_inverse=True)
    member = np.eye(len(sizes))[label]
    total = weights @ member
    with np.errstate(all="ignore"):
        means = (weights * loss) @ member / total
    found = np.full((2, len(weights)), np.nan)
    for row, there in enumerate(total > 0):
        if there.sum() < 3:
            continue
        x, y = sizes[there], means[row, there]
        three, two, one, constant = Akima1DInterpolator(x, y).c
        inside = _lowest_of_cubic(one, two, three)
        inside = np.where((inside > 0) & (inside < np.diff(x)), inside, 0.0)
        value = constant + inside * (one + inside * (two + inside * three))
        places, values = np.append(x[:-1] + inside, x[-1]), np.append(value, y[-1])
        found[:, row] = places[values.argmin()], values.min()
    return found[0], found[1]


def _skewed(at: Sequence[Floats], losses: Sequence[Floats], weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """All budgets at once: two shared exponents, and of each budget the lowest loss, the curvature there, the place."""
    batch, budgets = len(weights[0]), len(at)
    budget = np.repeat(np.arange(budgets), [len(part) for part in at])
    x, y, weight = np.concatenate(at), np.concatenate(losses), np.concatenate(weights, axis=1)
    enough = np.stack([(part > 0).sum(axis=1) >= 3 for part in weights], axis=1)
    member = np.eye(budgets, dtype=bool)[:, budget]

    def evaluate(internal: Floats) -> tuple[Floats, Floats]:
        exponents = np.exp(internal[:, :2])
        alpha, beta = exponents[:, :1], exponents[:, 1:]
        lowest, log_curvature, place = (internal[:, 2 + k * budgets : 2 + (k + 1) * budgets] for k in range(3))
        curvature = np.exp(log_curvature)[:, budget]
        z = x - place[:, budget]
        down, up, both = np.exp(-alpha * z), np.exp(beta * z), alpha + beta
        shape = down / (alpha * both) + up / (beta * both) - 1 / (alpha * beta)
        slope = (up - down) / both
        # by the exponents: the two terms are each other's mirror images
        by_alpha = (
            -down * (z / (alpha * both) + (2 * alpha + beta) / (alpha * both) ** 2)
            - up / (beta * both**2)
            + 1 / (alpha**2 * beta)
        )
        by_beta = (
            up * (z / (beta * both) - (2 * beta + alpha) / (beta * both) ** 2)
            - down / (alpha * both**2)
            + 1 / (alpha * beta**2)
        )
        derivative = np.zeros((len(internal), internal.shape[1], len(x)))
        derivative[:, 0], derivative[:, 1] = curvature * by_alpha * alpha, curvature * by_beta * beta
        derivative[:, 2 : 2 + budgets] = member
        derivative[:, 2 + budgets : 2 + 2 * budgets] = member * (curvature * shape)[:, None]
        derivative[:, 2 + 2 * budgets :] = member * (-curvature * slope)[:, None]
        return lowest[:, budget] + curvature * shape, derivative

    longest = np.concatenate([[0.5, 0.5], np.full(2 * budgets, 1.0), np.full(budgets, 0.5)])
    begun = _skewed_starts(at, losses)
    everything = np.ones(len(x))
    first = solve(evaluate, begun, y, everything, SQUARES, longest, iterations=400)
    best = first.internal[np.nanargmin(first.objective)]
    found = solve(evaluate, np.tile(best, (batch, 1)), y, weight, SQUARES, longest, tolerance=1e-8, iterations=200)
    place, lowest = found.internal[:, 2 + 2 * budgets :], found.internal[:, 2 : 2 + budgets]
    return np.where(enough, place, np.nan), np.where(enough, lowest, np.nan)


def _skewed_starts(at: Sequence[Floats], losses: Sequence[Floats]) -> Floats:
    """From each budget's parabola, or its lowest run where that has no minimum within: (starts, 2 + 3 budgets)."""
    lowest, curvature, place = [], [], []
    for x, y in zip(at, losses, strict=True):
        _, scale, coefficients = _polynomial(x, y, np.ones((1, len(x))), 2)
        bend = 2 * float(coefficients[0, 2]) / scale**2
        where = float(_quadratic(x, y, np.ones((1, len(x))))[0][0])
        inside = x.min() < where < x.max()
        place.append(where if inside else float(x[y.argmin()]))
        lowest.append(float(y.min()))
        curvature.append(np.log(bend if bend > 0 else np.ptp(y) / np.ptp(x) ** 2 + 1e-9))
    exponents = [(one, two) for one in (0.1, 0.3, 0.8) for two in (0.1, 0.3, 0.8)]
    return np.array([[*np.log(pair), *lowest, *curvature, *place] for pair in exponents])
