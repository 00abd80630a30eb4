"""Which scales answer better than chance, and from which on all do.

Exact binomial tests of counts against a known chance level, one-sided, with Holm's correction over the scales (Holm
1979, Scandinavian Journal of Statistics 6:65): the probability that any scale is called above chance wrongly is at
most alpha, whatever the scales share. At a chance of 0 (an answer that is written, not chosen) every success is above
chance; give the level that counts as "none" instead, such as 0.02, where a lucky answer shouldn't count.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ChanceGate(NamedTuple):
    """The gate of one curve; arrays are (scales,), from the smallest scale to the largest."""

    p_values: NDArray[np.float64]
    """One-sided and exact: the probability of as many successes or more at chance."""
    adjusted: NDArray[np.float64]
    """After Holm's correction over the scales."""
    above: NDArray[np.bool_]
    """Whether the adjusted p-value is at most alpha."""
    first: int | None
    """The first scale from which on all are above; None where the largest is not."""


def chance_gate(correct: ArrayLike, n: ArrayLike, chance: float, alpha: float = 0.05) -> ChanceGate:
    """Test each scale against chance.

    correct, n: (scales,) successes and trials, by size. Successes may be no whole number (an effective n makes such):
    they are rounded down, so that the test stays on the safe side. ValueError unless 0 <= correct <= n, n >= 1 and
    0 <= chance < 1.
    """
    from scipy.stats import binom

    y, trials = np.asarray(correct, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if y.ndim != 1 or y.shape != trials.shape or np.any(trials < 1) or np.any(y < 0) or np.any(y > trials):
        raise ValueError("one count of successes and of trials per scale is wanted, 0 <= correct <= n, n >= 1")
    if not 0 <= chance < 1:
        raise ValueError(f"chance is a probability below 1, not {chance}")
    # 1e-9: 0.7 * 10 is 7 successes, whatever the rounding
    p_values: NDArray[np.float64] = np.asarray(binom.sf(np.floor(y + 1e-9) - 1, np.floor(trials + 1e-9), chance))
    adjusted = holm(p_values)
    above = adjusted <= alpha
    below = np.flatnonzero(~above)
    first = 0 if not len(below) else int(below[-1]) + 1
    return ChanceGate(p_values, adjusted, above, first if first < len(y) else None)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjusted p-values, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def gate_power(n: float, chance: float, rise: float, scales: int, alpha: float = 0.05) -> float:
    """The probability that one scale whose share is chance + rise passes the gate at n trials.

    At the level alpha / scales, Holm's for a curve whose other scales are at chance.
    """
    from scipy.stats import binom

    trials = int(n + 1e-9)
    needed = binom.isf(alpha / scales, trials, chance) + 1  # the fewest successes that pass
    return float(binom.sf(needed - 1, trials, min(1.0, chance + rise)))


def items_needed(chance: float, rise: float, scales: int, alpha: float = 0.05, power: float = 0.8) -> int:
    """The fewest trials with which `gate_power` is at least `power` from there on by doubling and halving.

    The power is a saw-tooth in n, so the answer is right to within a tooth.
    """
    high = 1
    while gate_power(high, chance, rise, scales, alpha) < power:
        high *= 2
    low = high // 2
    while high - low > max(1, high // 100):
        middle = ceil((low + high) / 2)
        if middle == high:
            break
        if gate_power(middle, chance, rise, scales, alpha) < power:
            low = middle
        else:
            high = middle
    return high
