"""The best steps through a series, for every number of steps and every correlation of its noise.

The model: within a segment the values scatter about one level, and the noise of each value carries `rho` of the one
before it, e[t] = rho e[t-1] + u[t] with u independent and normal. In a new segment the noise begins anew. A segment
from a to b has then the cost (the exponent of its likelihood, least over the level m)

    (1 - rho²)(y[a] - m)² + sum over t in a+1 ... b-1 of (y[t] - rho y[t-1] - (1 - rho) m)²

which running sums give for all a and b, and dynamic programming finds the cheapest segments exactly: the cheapest k
segments up to b are the cheapest k - 1 up to some a, and one more (Auger & Lawrence 1989, Bulletin of Mathematical
Biology 51:39; with noise of an AR(1) Chakar et al. 2017, Bernoulli 23:1408, who whiten first and drop the likelihood of
a segment's first value). O(n² · steps · correlations).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepFits:
    """The best segments for each correlation and each number of steps."""

    costs: Floats
    """(correlations, most + 1): sums of squares of the noise's own part, u, with 0, 1, ... steps."""
    _starts: NDArray[np.int32]
    """(correlations, most + 1, n + 1): where the last segment begins, by the end of the series."""

    def steps(self, correlation: int, count: int) -> list[int]:
        """The first positions of the segments after the first one, for the correlation of that number."""
        end, found = self._starts.shape[2] - 1, []
        for steps in range(count, 0, -1):
            end = int(self._starts[correlation, steps, end])
            found.append(end)
        return found[::-1]


class Segments:
    """Costs and levels of any segments of a series, for each of the correlations."""

    def __init__(self, values: Floats, correlations: Floats) -> None:
        """values: (n,), finite and best about 0; correlations: (r,), each of [0, 1)."""
        rho = correlations[:, None]
        self._gain, self._first = 1 - rho, 1 - rho**2
        whitened = values[1:] - rho * values[:-1]
        nothing = np.zeros((len(rho), 2))
        self._sums = np.concatenate([nothing, np.cumsum(whitened, axis=1)], axis=1)
        self._squares = np.concatenate([nothing, np.cumsum(whitened**2, axis=1)], axis=1)
        self._values = values

    def costs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats:
        """Costs of the segments from each start to before its end: (r, segments)."""
        weight, weighted = self._level_sums(starts, ends)
        own = self._first * self._values[starts] ** 2 + self._squares[:, ends] - self._squares[:, starts + 1]
        costs: Floats = np.maximum(own - weighted**2 / weight, 0.0)
        return costs

    def levels(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Levels and weights, (r, segments) each: the variance of a level is the noise's over its weight."""
        weight, weighted = self._level_sums(starts, ends)
        return weighted / weight, weight

    def _level_sums(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Floats, Floats]:
        weight = self._first + (ends - starts - 1) * self._gain**2
        between = self._sums[:, ends] - self._sums[:, starts + 1]
        return weight, self._first * self._values[starts] + self._gain * between


def least_costs(segments: Segments, n: int, correlations: int, shortest: int) -> Floats:
    """(correlations,): what the best fits cost with as many steps as they like: none of `step_fits` costs less."""
    best = np.full((correlations, n + 1), np.inf)
    best[:, 0] = 0.0
    positions = np.arange(n)
    for end in range(shortest, n + 1):
        possible = positions[: end - shortest + 1]
        last = segments.costs(possible, np.full_like(possible, end))
        best[:, end] = (best[:, : end - shortest + 1] + last).min(axis=1)
    return best[:, n]


def step_fits(segments: Segments, n: int, correlations: int, most: int, shortest: int) -> StepFits:
    """The best fits of n values with up to `most` steps, all segments at least `shortest` long (n >= `shortest`)."""
    most = min(most, n // shortest - 1)
    best = np.full((correlations, most + 1, n + 1), np.inf)
    starts = np.zeros((correlations, most + 1, n + 1), dtype=np.int32)
    positions = np.arange(n)
    for end in range(shortest, n + 1):
        possible = positions[: end - shortest + 1]
        last = segments.costs(possible, np.full_like(possible, end))
        best[:, 0, end] = last[:, 0]
        steps = min(most, end // shortest - 1)
        if steps > 0:
            sums = best[:, :steps, shortest : end - shortest + 1] + last[:, None, shortest:]
            where = sums.argmin(axis=2)
            starts[:, 1 : steps + 1, end] = where + shortest
            best[:, 1 : steps + 1, end] = np.take_along_axis(sums, where[:, :, None], axis=2)[:, :, 0]
    return StepFits(best[:, :, n], starts)
