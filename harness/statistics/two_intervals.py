"""Two quantities that are known by their intervals alone: whether one is larger, and whether it is larger by a margin.

For positive quantities whose errors are factors, each with a t interval over its own launches: Welch's test on the
logarithms (Welch 1947, Biometrika 34:28), with the standard errors that the intervals had.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log


@dataclass(frozen=True)
class Launches:
    """A positive value with the ends of its t interval over n launches."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """Of the logarithms, head less base."""

    value: float
    error: float
    """Its standard error; 0 where no launch differs from another."""
    freedom: float

    def chance_above(self, limit: float) -> float:
        """The p-value of "it is `limit` or less", one-sided; without any error 0 or 1."""
        return self._tail(self.value - limit)

    def chance_below(self, limit: float) -> float:
        """The p-value of "it is `limit` or more", one-sided."""
        return self._tail(limit - self.value)

    def smallest_seen(self, alpha: float, power: float = 0.8) -> float:
        """The difference that is found at `alpha` with a chance of `power`, as far as the error is known."""
        from scipy.special import stdtrit

        quantiles = (float(stdtrit(self.freedom, 1 - chance)) for chance in (alpha, 1 - power))
        return 0.0 if self.error == 0 else sum(quantiles) * self.error

    def _tail(self, distance: float) -> float:
        from scipy.special import stdtr

        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stdtr(self.freedom, -distance / self.error))


def log_difference(base: Launches, head: Launches, confidence: float = 0.95) -> Difference:
    """How far two values lie apart. confidence: of their intervals. ValueError for fewer than two launches, or for
    values that are not positive."""
    from scipy.special import stdtrit

    if min(base.n, head.n) < 2 or min(base.low, head.low) <= 0:
        raise ValueError("two positive values with intervals over two launches or more are wanted")
    squares = [
        ((log(one.high) - log(one.low)) / 2 / float(stdtrit(one.n - 1, 0.5 + confidence / 2))) ** 2
        for one in (base, head)
    ]
    total = sum(squares)
    parts = sum(square**2 / (one.n - 1) for square, one in zip(squares, (base, head), strict=True))
    return Difference(log(head.value / base.value), total**0.5, total**2 / parts if parts else inf)
