"""Three shapes of a curve of shares over scale, fitted by maximum likelihood to binomial counts.

    constant    p = q
    smooth      p = floor + (1 - floor) * ceiling * sigmoid(a + b x)
    hinge       p = q up to a break between two scales, logit p = a + b x with b >= 0 beyond it

x is the logarithm of the scale. A smooth curve's floor and ceiling are free: small models often begin a little beside
chance (answers that can't be read, one letter that is always chosen, lucky guesses of written answers), label noise and
saturation end many curves early, and with either of them fixed most of these would look like hinges, whose plateau is
free. Smooth curves that are not logistic may start as suddenly as a hinge: the K-th power of one, which is exact match
of K tokens, or Gompertz's.
A hinge begins anywhere between the last flat scale and the next: where its line lies above q already at the last flat
scale, the rise begins with a jump, else it is continuous. Two scales at least are flat. A smooth curve may be as steep
as a step, so a step is no evidence of a hinge: what tells them apart is a start that is more sudden than the rest of
the rise, and that takes three scales beyond the break.

Many curves (bootstrap replicates) are fitted at once. The log-likelihood is linear in the counts, so the best of a
large grid of smooth curves is one matrix product; Levenberg-Marquardt on the Fisher information goes on from there.
Arrays: R curves, m scales. Counts need not be whole numbers (an effective n).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, xlog1py, xlogy

Floats = NDArray[np.float64]

STEEPEST = 30.0
"""The largest |b| per mean distance of scales: a step, for all that counts can tell."""
_ENDS = (-60.0, -30.0, -15.0, -9.0, -6.5, -5.0, -4.0, -3.0, -2.0, -1.2, -0.5, 0.2, 0.9, 1.8, 3.0, 5.0, 9.0, 18.0, 40.0)
_CEILINGS = (1.0, 0.85, 0.65, 0.45, 0.25, 0.1, 0.04)
_TINY = 1e-12  # probabilities stay this far from 0 and 1 while fitting
_HIGHEST_FLOOR = 0.99
_ROWS = 2000  # curves held at once


class Smooth(NamedTuple):
    """Smooth fits, one per curve; all (R,) but p."""

    floor: Floats
    ceiling: Floats
    """Of the way from the floor to 1."""
    intercept: Floats
    slope: Floats
    p: Floats
    """(R, m) fitted shares at the scales."""
    log_likelihood: Floats

    def at(self, x: ArrayLike) -> Floats:
        """The curves at positions (k,): (R, k)."""
        z = self.intercept[:, None] + self.slope[:, None] * np.asarray(x, dtype=np.float64)
        top = (1 - self.floor) * self.ceiling
        return np.asarray(self.floor[:, None] + top[:, None] * expit(z), dtype=np.float64)


class Hinge(NamedTuple):
    """Hinge fits, one per curve; all (R,) but p and profile."""

    flat: NDArray[np.int64]
    """How many scales lie on the plateau."""
    plateau: Floats
    intercept: Floats
    slope: Floats
    p: Floats
    """(R, m) fitted shares at the scales."""
    log_likelihood: Floats
    profile: Floats
    """(R, m - 2) log-likelihood with 2, 3 .. m - 1 flat scales; -inf where the rest does not rise above them."""


def positions(scale: ArrayLike) -> Floats:
    """x: the logarithm of scales (m,), ascending, centered, in units of the mean distance of neighbors.

    ValueError unless the scales are positive, finite and rise.
    """
    s = np.asarray(scale, dtype=np.float64)
    if s.ndim != 1 or len(s) < 2 or not np.all(np.isfinite(s)) or np.any(s <= 0) or np.any(np.diff(s) <= 0):
        raise ValueError("at least two scales are wanted, positive, finite and rising")
    logs = np.log(s)
    return np.asarray((logs - logs.mean()) * (len(s) - 1) / (logs[-1] - logs[0]), dtype=np.float64)


def log_likelihood(correct: Floats, n: Floats, p: Floats) -> Floats:
    """Sum over the scales, without the binomial coefficients, which no comparison needs. (R,)"""
    return np.asarray((xlogy(correct, p) + xlog1py(n - correct, -p)).sum(axis=-1), dtype=np.float64)


def fit_constant(correct: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The pooled share (R,) and its log-likelihood (R,). correct: (R, m), n: (m,)."""
    q = correct.sum(axis=-1) / n.sum()
    return q, log_likelihood(correct, n, q[:, None])


def fit_smooth(x: Floats, correct: Floats, n: Floats, chance: float, *, free: bool = True) -> Smooth:
    """The better of the fits that start from a floor at 0 and at chance for each curve.

    x: (m,) from `positions`. correct: (R, m), n: (m,). free: whether floor and ceiling are, else they stay at the start
    and at 1.
    """
    best = _from_floor(x, correct, n, 0.0, free)
    return best if chance == 0 else _better(best, _from_floor(x, correct, n, chance, free))


def _better(one: Smooth, other: Smooth) -> Smooth:
    """Curve by curve the likelier of the two."""
    take = other.log_likelihood > one.log_likelihood
    return Smooth(*(np.where(take[:, None] if a.ndim == 2 else take, b, a) for a, b in zip(one, other, strict=True)))


def fit_hinge(x: Floats, correct: Floats, n: Floats) -> Hinge:
    """The best number of flat scales for each curve. x: (m,), correct: (R, m), n: (m,); m >= 3."""
    rows, m = correct.shape
    kinks = np.arange(2, m)
    if not len(kinks):
        raise ValueError("a hinge needs at least three scales")
    beyond = (np.arange(m) >= kinks[:, None]).astype(np.float64)  # (J, m)
    flat_n = ((1 - beyond) * n).sum(axis=-1)
    plateau = correct @ (1 - beyond).T / flat_n  # (R, J)
    # all breaks at once: scales on the plateau weigh nothing in the logistic part
    weights = np.broadcast_to(beyond * n, (rows, len(kinks), m)).reshape(-1, m)
    counts = (correct[:, None, :] * beyond).reshape(-1, m)
    a, b = _logistic(x, counts, weights)
    shape = (rows, len(kinks))
    a, b = a.reshape(shape), b.reshape(shape)
    risen = expit(a[..., None] + b[..., None] * x)
    p = np.where(beyond > 0, risen, plateau[..., None])
    each = (xlogy(correct[:, None, :], p) + xlog1py(n - correct[:, None, :], -p)).sum(axis=-1)
    start = np.take_along_axis(risen, np.broadcast_to(kinks[None, :, None], (rows, len(kinks), 1)), axis=2)[..., 0]
    profile = np.where(start > plateau + 1e-9, each, -np.inf)
    # a curve that rises nowhere has the constant as its hinge
    q, flat = fit_constant(correct, n)
    best = profile.argmax(axis=1)
    take = np.arange(rows)
    rises = np.isfinite(profile[take, best])
    return Hinge(
        np.where(rises, kinks[best], m),
        np.where(rises, plateau[take, best], q),
        np.where(rises, a[take, best], logit(np.clip(q, _TINY, 1 - _TINY))),
        np.where(rises, b[take, best], 0.0),
        np.where(rises[:, None], p[take, best], q[:, None]),
        np.where(rises, profile[take, best], flat),
        profile,
    )


def _from_floor(x: Floats, correct: Floats, n: Floats, floor: float, free: bool) -> Smooth:
    """Smooth fits that start from one floor, in blocks of rows."""
    ceilings = _CEILINGS if free else _CEILINGS[:1]
    grid, log_p, log_q = _grid(tuple(x.tolist()), floor, ceilings)
    parts = [
        _polished(x, block, n, grid[(block @ log_p + (n - block) @ log_q).argmax(axis=1)], free)
        for block in np.array_split(correct, max(1, -(-len(correct) // _ROWS)))
    ]
    a, b, top, floors = np.concatenate(parts).T
    fit = Smooth(floors, top, a, b, correct, a)
    p = fit.at(x)
    return fit._replace(p=p, log_likelihood=log_likelihood(correct, n, p))


@lru_cache(maxsize=32)
def _grid(x: tuple[float, ...], floor: float, ceilings: tuple[float, ...]) -> tuple[Floats, Floats, Floats]:
    """Smooth curves by their logits at both ends: parameters (k, 4), log p and log(1 - p) (m, k)."""
    places = np.array(x)
    first, last, top = (axis.ravel() for axis in np.meshgrid(_ENDS, _ENDS, ceilings, indexing="ij"))
    b = (last - first) / (places[-1] - places[0])
    keep = np.abs(b) <= STEEPEST
    first, b, top = first[keep], b[keep], top[keep]
    a = first - b * places[0]
    p = np.clip(floor + (1 - floor) * top * expit(a + b * places[:, None]), _TINY, 1 - _TINY)
    return np.stack([a, b, top, np.full(len(a), floor)], axis=1), np.log(p), np.log1p(-p)


def _polished(x: Floats, correct: Floats, n: Floats, start: Floats, free: bool) -> Floats:
    """Levenberg-Marquardt from the start (R, 4) of intercept, slope, ceiling, floor; a step counts only if it is
    uphill."""
    theta, damping = start.copy(), np.full(len(start), 1e-3)
    value = log_likelihood(correct, n, _shares(x, theta))
    active = np.arange(len(theta))
    for _ in range(25):
        t, y = theta[active], correct[active]
        s = expit(t[:, :1] + t[:, 1:2] * x)
        top, room = t[:, 2:3], 1 - t[:, 3:]
        p = _shares(x, t)
        by_z = room * top * s * (1 - s)
        jacobian = np.stack([by_z, by_z * x, room * s, 1 - top * s], axis=2)  # (R, m, 4)
        weight = n / (p * (1 - p))
        gradient = np.einsum("rmk,rm->rk", jacobian, (y - n * p) / (p * (1 - p)))
        information = np.einsum("rmk,rml->rkl", jacobian * weight[..., None], jacobian)
        # ceiling and floor are held where they are fixed, or at an end and pushed beyond
        at_top, at_bottom = (t[:, 2] >= 1) & (gradient[:, 2] >= 0), (t[:, 3] <= 0) & (gradient[:, 3] <= 0)
        for column, at_end in ((2, at_top), (3, at_bottom)):
            held = at_end if free else np.ones_like(at_end)
            gradient[held, column], information[held, column, :], information[held, :, column] = 0.0, 0.0, 0.0
        diagonal = np.einsum("rkk->rk", information)
        diagonal += damping[active][:, None] * (diagonal + 1e-9) + 1e-12
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        moved = t + np.clip(step, -20, 20)
        moved[:, 1] = np.clip(moved[:, 1], -STEEPEST, STEEPEST)
        moved[:, 2] = np.clip(moved[:, 2], 1e-3, 1.0)
        moved[:, 3] = np.clip(moved[:, 3], 0.0, _HIGHEST_FLOOR)
        tried = log_likelihood(y, n, _shares(x, moved))
        gain = tried - value[active]
        uphill = gain > 0
        rows = active[uphill]
        theta[rows], value[rows] = moved[uphill], tried[uphill]
        damping[active] *= np.where(uphill, 0.2, 8.0)
        active = active[np.where(uphill, gain > 1e-7, damping[active] < 1e4)]
        if not len(active):
            break
    return theta


def _shares(x: Floats, theta: Floats) -> Floats:
    """(R, m) of intercept, slope, ceiling and floor (R, 4)."""
    p = theta[:, 3:] + (1 - theta[:, 3:]) * theta[:, 2:3] * expit(theta[:, :1] + theta[:, 1:2] * x)
    return np.asarray(np.clip(p, _TINY, 1 - _TINY), dtype=np.float64)


def _logistic(x: Floats, correct: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope >= 0 of logit p = a + b x, each (R,), by Newton's method. correct, n: (R, m), n may be 0.

    The likelihood is concave, so a slope that would fall is 0 at the constrained optimum, where p is the pooled share.
    """
    total = n.sum(axis=1)
    pooled = logit(np.clip(correct.sum(axis=1) / total, 1e-9, 1 - 1e-9))
    center = (n @ x / total)[:, None]  # centered per row, so that a and b hardly correlate
    u = x - center
    a, b = pooled.copy(), np.zeros(len(n))
    spread = (n * u * u).sum(axis=1) / total
    single = spread < 1e-12  # one scale has no slope
    for _ in range(40):
        p = expit(a[:, None] + b[:, None] * u)
        miss, w = correct - n * p, n * p * (1 - p)
        g0, g1 = miss.sum(axis=1), (miss * u).sum(axis=1)
        h0, h1, h2 = w.sum(axis=1) + 1e-9, (w * u).sum(axis=1), (w * u * u).sum(axis=1) + 1e-9
        determinant = np.maximum(h0 * h2 - h1 * h1, 1e-18)
        da = np.clip((h2 * g0 - h1 * g1) / determinant, -2, 2)
        db = np.clip((h0 * g1 - h1 * g0) / determinant, -2, 2)
        a, b = np.clip(a + da, -30, 30), np.where(single, 0.0, np.clip(b + db, -STEEPEST, STEEPEST))
        if max(np.abs(da).max(), np.abs(db).max()) < 1e-7:
            break
    a, b = np.where((b < 0) | single, pooled, a), np.maximum(b, 0.0)
    return a - b * center[:, 0], b
