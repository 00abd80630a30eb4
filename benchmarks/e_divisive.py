"""E-divisive with segments of at least five values: what `harness.statistics.change_points` was compared with.

A segment is split where the energy distance between what lies before and behind is largest (Matteson & James 2014, JASA
109:334; kappa, the end of what is compared, is searched too), as long as reorderings of the segment seldom reach as
much. They reorder single values as MongoDB's signal processing does, or blocks of neighbors, or what is left of values
when their correlation with the value before was taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHORTEST = 5


Keeping = Literal["nothing", "blocks", "correlation"]


@dataclass(frozen=True)
class EDivisive:
    """A rule: its level, and what its reorderings keep."""

    level: float
    keeping: Keeping
    permutations: int

    def __call__(self, values: Floats) -> list[int]:
        """The first positions of new segments."""
        generator = np.random.default_rng(0)
        series = whitened(values) if self.keeping == "correlation" else values
        found: list[int] = []
        waiting = [(0, len(series))]
        while waiting:
            start, end = waiting.pop()
            segment = series[start:end]
            if len(segment) < 2 * SHORTEST:
                continue
            place, reached = best_split(segment)
            if self._is_seldom(segment, reached, generator):
                found.append(start + place)
                waiting += [(start, start + place), (start + place, end)]
        shift = int(self.keeping == "correlation")
        return sorted(place + shift for place in found)

    def _is_seldom(self, segment: Floats, reached: float, generator: np.random.Generator) -> bool:
        """Whether reorderings reach as much in no more than their share; it stops once they do."""
        allowed = int(self.level * (self.permutations + 1)) - 1
        block = SHORTEST if self.keeping == "blocks" else 1
        for _ in range(self.permutations):
            starts = np.arange(-int(generator.integers(block)), len(segment), block)
            order = np.concatenate(
                [np.arange(max(a, 0), min(a + block, len(segment))) for a in generator.permutation(starts)]
            )
            allowed -= best_split(segment[order])[1] >= reached
            if allowed < 0:
                return False
        return True


def whitened(values: Floats) -> Floats:
    """y[t] - rho y[t-1], with rho from differences over two places and over one, which few steps disturb.

    As Chakar et al. 2017, Bernoulli 23:1408, but by mean squares of differences that are cut at three deviations, whose
    error is half that of medians.
    """

    def square(lag: int) -> float:
        away = np.abs(values[lag:] - values[:-lag])
        return float(np.mean(np.minimum(away, 3 * 1.4826 * np.median(away)) ** 2))

    rho = min(max(square(2) / square(1) - 1, 0.0), 0.9) if square(1) else 0.0
    return values[1:] - rho * values[:-1]


def best_split(values: Floats) -> tuple[int, float]:
    """The split with the largest scaled energy distance, over all ends of what is compared behind it."""
    n = len(values)
    sums = np.zeros((n + 1, n + 1))
    np.cumsum(np.cumsum(np.abs(values[:, None] - values), axis=0), axis=1, out=sums[1:, 1:])
    splits, ends = np.arange(SHORTEST, n - SHORTEST + 1)[:, None], np.arange(2 * SHORTEST, n + 1)[None, :]
    behind = np.maximum(ends - splits, 2)
    inside = sums[splits, splits]
    across = sums[splits, ends] - inside
    rest = sums[ends, ends] - 2 * sums[splits, ends] + inside
    distance = 2 * across / (splits * behind) - inside / (splits * (splits - 1)) - rest / (behind * (behind - 1))
    scaled = np.where(ends - splits >= SHORTEST, splits * behind / (splits + behind) * distance, -np.inf)
    place = int(np.argmax(scaled.max(axis=1)))
    return place + SHORTEST, float(scaled[place].max())
