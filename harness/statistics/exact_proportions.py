"""Exact bounds of a proportion: what a rate may be, where "at most" has to hold at every rate and every n.

Clopper & Pearson 1934, Biometrika 26:404: all rates under which what was seen, or more, would not have been too
unlikely. They are conservative; for an estimate with an interval Wilson's is better (`proportions`).
"""

from __future__ import annotations


def at_most(successes: int, trials: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of the rate of which `successes` in `trials` were seen: 0 of 300 give 0.99 %."""
    from scipy.special import betaincinv

    _check(successes, trials)
    return 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, confidence))


def at_least(successes: int, trials: int, confidence: float = 0.95) -> float:
    """The one-sided lower bound: 60 of 60 give 95.1 %."""
    return 1 - at_most(trials - successes, trials, confidence)


def _check(successes: int, trials: int) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials are no proportion")
