"""Does a curve of counts over scale grow, does its growth break, and was its end to be foreseen?

All answers are parametric bootstraps of the fits in `binomial_curve`: counts are drawn from the simpler fit, both fits
are made again, and the observed gain in log-likelihood is placed among the redrawn ones (Efron & Tibshirani 1993,
section 16.2). Shapes that aren't nested and a break that has no place under the null leave chi-square tables without
ground; the bootstrap needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.statistics.binomial_curve import Floats, fit_constant, fit_hinge, fit_smooth

_CURVES = 20_000  # redrawn curves held at once


class BootstrapTest(NamedTuple):
    """One test on each of R curves; all (R,)."""

    gain: Floats
    """Observed gain in log-likelihood of the richer shape over the simpler."""
    p_value: Floats
    """(1 + redrawn gains at least as large) / (1 + replicates)."""
    null_median: Floats
    """Of the redrawn gains."""
    null_critical: Floats
    """The 1 - alpha quantile of the redrawn gains."""


class Forward(NamedTuple):
    """What the smaller scales say of the largest one."""

    predicted: float
    """The share at the largest scale where the trend of the smaller goes on."""
    upper: float
    """The upper predictive limit of its observed share."""
    observed: float
    exceeds: bool


def trend_test(
    x: Floats, correct: Floats, n: Floats, chance: float, replicates: int = 1000, seed: int = 0, alpha: float = 0.05
) -> BootstrapTest:
    """Constant against smooth, in either direction. x: (m,), correct: (R, m), n: (m,)."""
    q, _ = fit_constant(correct, n)
    null = np.repeat(q[:, None], len(x), axis=1)
    return _bootstrap(_trend_gain, null, x, correct, n, chance, replicates, seed, alpha)


def break_test(
    x: Floats, correct: Floats, n: Floats, chance: float, replicates: int = 1000, seed: int = 0, alpha: float = 0.05
) -> BootstrapTest:
    """Smooth against hinge: the test of emergence. x: (m,), correct: (R, m), n: (m,); m >= 3."""
    null = fit_smooth(x, correct, n, chance).p
    return _bootstrap(_break_gain, null, x, correct, n, chance, replicates, seed, alpha)


def forward_prediction(
    x: Floats, correct: Floats, n: Floats, replicates: int = 1000, seed: int = 0, confidence: float = 0.95
) -> list[Forward]:
    """Whether the largest scale exceeds the upper limit that a straight line in the logit of the smaller ones gives.

    The line has no floor: below a floor a rise could begin at any scale, and nothing could exceed that. Half a success
    and half a failure are added to each scale, so that the line stays finite where successes are 0 or a handful. The
    limit holds the line's own uncertainty (counts redrawn and the line refitted) and the binomial noise of the largest
    scale. x: (m,), correct: (R, m), n: (m,); m >= 3. Returns R predictions.
    """
    known, last = x[:-1], int(_whole(n[-1:])[0])
    y: Floats = correct[:, :-1] + 0.5
    trials: Floats = n[:-1] + 1.0
    line = fit_smooth(known, y, trials, 0.0, free=False)
    generator = np.random.default_rng(seed)
    redrawn = generator.binomial(_whole(n[:-1]), line.p[:, None, :], (len(y), replicates, len(known)))
    drawn: Floats = redrawn.reshape(-1, len(known)).astype(np.float64) + 0.5
    ahead = fit_smooth(known, drawn, trials, 0.0, free=False).at(x[-1:]).reshape(len(y), replicates)
    shares = generator.binomial(last, np.clip(ahead, 0, 1)) / last
    upper = np.quantile(shares, confidence, axis=1, method="higher").tolist()
    found = (correct[:, -1] / n[-1]).tolist()
    predicted = line.at(x[-1:])[:, 0].tolist()
    return [Forward(p, u, o, o > u + 1e-9) for p, u, o in zip(predicted, upper, found, strict=True)]


def _trend_gain(x: Floats, correct: Floats, n: Floats, chance: float) -> Floats:
    gain = fit_smooth(x, correct, n, chance, free=False).log_likelihood - fit_constant(correct, n)[1]
    return np.maximum(gain, 0.0)


def _break_gain(x: Floats, correct: Floats, n: Floats, chance: float) -> Floats:
    smooth = fit_smooth(x, correct, n, chance).log_likelihood
    return np.maximum(fit_hinge(x, correct, n).log_likelihood - smooth, 0.0)


def _bootstrap(
    gain_of: Callable[[Floats, Floats, Floats, float], Floats],
    null: Floats,
    x: Floats,
    correct: Floats,
    n: Floats,
    chance: float,
    replicates: int,
    seed: int,
    alpha: float,
) -> BootstrapTest:
    """Place the gain of each curve among those of curves drawn from its null (R, m)."""
    trials, generator = _whole(n), np.random.default_rng(seed)
    observed = gain_of(x, correct, n, chance)
    step = max(1, _CURVES // replicates)
    redrawn = []
    for start in range(0, len(correct), step):
        shares = np.clip(null[start : start + step, None, :], 0, 1)
        drawn = generator.binomial(trials, shares, (shares.shape[0], replicates, len(x)))
        gains = gain_of(x, drawn.reshape(-1, len(x)).astype(np.float64), trials.astype(np.float64), chance)
        redrawn.append(gains.reshape(-1, replicates))
    gains = np.concatenate(redrawn)
    # 1e-6: equal counts are equal gains, whatever the fits' last digits
    as_large = (gains >= observed[:, None] - 1e-6).sum(axis=1)
    return BootstrapTest(
        observed,
        (1 + as_large) / (replicates + 1),
        np.median(gains, axis=1),
        np.quantile(gains, 1 - alpha, axis=1),
    )


def _whole(n: Floats) -> NDArray[np.int64]:
    return np.maximum(1, np.rint(n)).astype(np.int64)
