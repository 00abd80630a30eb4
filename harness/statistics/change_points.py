"""Where the level of a series changed for good: steps, by a penalized likelihood that knows that neighbors are alike.

Commits are measured one after the other, and what a machine did to one it often does to the next. A test that takes
values for independent then sees steps in what only wanders. Here each number of steps, at its best places
(`step_fits`), is weighed by the likelihood under noise whose correlation is fitted together with the steps:

    n log(cost / n) - (steps + 1) log(1 - rho²) + penalty · steps

and the smallest wins over all numbers of steps and rho = 0, 0.15, ... 0.9. A step that noise of such a correlation
makes too is thus not called before there are points enough to tell them apart. Segments have at least five points, and
what is shorter is cut first (`local_spikes`). How often it is wrong, how late it is and how others do is simulated by
`benchmarks/change_points.py`, for several penalties.

It shows where to look. It is no test of one commit, and nothing is gated by it.

Sources: Yao 1988, Statistics & Probability Letters 6:181 (steps by penalized likelihood); asv's `step_detect` (the
correlation of the noise in what is minimized); Chakar et al. 2017, Bernoulli 23:1408 (steps in AR(1) noise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.intervals import Interval
from harness.statistics.local_spikes import without_spikes
from harness.statistics.step_fits import Segments, least_costs, step_fits

Floats = NDArray[np.float64]

SHORTEST = 5
"""Values that a segment has at least: fewer are not told from spikes."""
PENALTY = 20.0
"""By how much a step has to improve twice the log-likelihood (`results/change_points.md` shows others)."""

_CORRELATIONS: Floats = np.arange(7, dtype=np.float64) * 0.15
_STEPS_AT_FIRST = 8
_ROUNDING = 1e-12
"""A series is constant where it scatters by no more than so much of its largest value."""
_LEAST_NOISE = 1e-12
"""The noise's share of the variance that sums can resolve."""


@dataclass(frozen=True)
class ChangePoint:
    """A step from one level to another. Positions are those of the given values, missing ones counted."""

    index: int
    """The first position of the new level, at its likeliest."""
    earliest: int
    latest: int
    """The positions between which it lies (93 to 98 % of steps that are seen do: `results/change_points.md`)."""
    before: Interval
    after: Interval
    """The levels of the segments on both sides, spikes cut, with 95 % intervals given the steps and the correlation."""
    change: Interval
    """after - before; n counts the points of both segments."""


def change_points(
    values: ArrayLike | Sequence[Any], penalty: float = PENALTY, smallest: float = 0.0
) -> list[ChangePoint]:
    """The steps of a series, in order; an empty list where there are none or fewer than ten values.

    values: (n,), one per commit in commit order, all measured the same way. NaN, None and infinities are missing: no
    level has them, positions count them. Give logarithms of what scatters by factors (times, ratios of times).
    penalty: what one more step has to gain; 20 unless there is a reason.
    smallest: drop steps of less than this, in the unit of the values (of logarithms, log 1.02 is 2 %): the smallest
    first, each time with the levels of what is left.

    ValueError unless values are one row of numbers, the penalty is positive and `smallest` is 0 or more.
    """
    if not penalty > 0 or not smallest >= 0:
        raise ValueError(f"a penalty has to be positive, a smallest change 0 or more: not {penalty} and {smallest}")
    given = _row(values)
    kept = np.flatnonzero(np.isfinite(given))
    if len(kept) < 2 * SHORTEST:
        return []
    unit = float(np.max(np.abs(given[kept])))
    scaled = given[kept] / unit if unit else given[kept]
    center = float(np.median(scaled))
    series = without_spikes(scaled - center, SHORTEST)
    spread = float(np.std(series))
    if spread <= _ROUNDING:
        return []
    fitted = _fitted(series / spread, penalty)
    while fitted.steps:
        found = fitted.change_points(center, spread, unit)
        sizes = [abs(point.change.value) for point in found]
        if min(sizes) >= smallest:
            return [_at(point, kept) for point in found]
        fitted = fitted.without(int(np.argmin(sizes)))
    return []


def _row(values: ArrayLike | Sequence[Any]) -> Floats:
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a series is one row of numbers, None where one is missing: {error}") from error
    if given.ndim != 1:
        raise ValueError(f"a series is one row of numbers: these have {given.ndim} dimensions")
    return given


@dataclass(frozen=True)
class _Fitted:
    """Steps through a series of n values, under noise of one correlation."""

    segments: Segments
    """For that correlation alone."""
    n: int
    steps: tuple[int, ...]

    def without(self, number: int) -> _Fitted:
        """The same without one of the steps."""
        return _Fitted(self.segments, self.n, self.steps[:number] + self.steps[number + 1 :])

    def change_points(self, center: float, spread: float, unit: float) -> list[ChangePoint]:
        """The steps with their intervals, in the unit of the values that were centered and divided."""
        from scipy.special import stdtrit

        starts, ends = np.array([0, *self.steps]), np.array([*self.steps, self.n])
        freedom = self.n - len(starts) - 1  # the levels and the correlation
        variance = float(self.segments.costs(starts, ends).sum()) / freedom
        levels, weights = (row[0] for row in self.segments.levels(starts, ends))
        t = float(stdtrit(freedom, 0.975))
        halves = t * np.sqrt(variance / weights) * spread
        levels = center + levels * spread

        def interval(value: float, half: float, n: int) -> Interval:
            return Interval(float(value * unit), float((value - half) * unit), float((value + half) * unit), int(n))

        sizes = ends - starts
        sides = [interval(*side) for side in zip(levels, halves, sizes, strict=True)]
        found = []
        for number, step in enumerate(self.steps):
            earliest, latest = self._places(starts[number], step, ends[number + 1], variance)
            change = interval(
                levels[number + 1] - levels[number],
                float(np.hypot(halves[number], halves[number + 1])),
                sizes[number] + sizes[number + 1],
            )
            found.append(ChangePoint(step, earliest, latest, sides[number], sides[number + 1], change))
        return found

    def _places(self, start: int, step: int, end: int, variance: float) -> tuple[int, int]:
        """The first and the last place that the step may have between its neighbors.

        To either side of the true place the likelihood is a random walk that falls, and how far twice its logarithm
        rises above that at the true place is exponential in the limit: both sides stay below x with a chance of
        (1 - exp(-x/2))² (Yao 1987, Annals of Statistics 15:1321).
        """
        furthest = -2 * np.log(1 - np.sqrt(0.95)) * variance
        places = np.arange(min(start + SHORTEST, step), max(end - SHORTEST, step) + 1)
        costs = self.segments.costs(np.full_like(places, start), places)[0]
        costs = costs + self.segments.costs(places, np.full_like(places, end))[0]
        likely = places[costs <= costs[step - places[0]] + furthest]
        return int(likely[0]), int(likely[-1])


def _fitted(series: Floats, penalty: float) -> _Fitted:
    """The steps and the correlation that weigh least. series: (n,), centered, of variance 1."""
    n = len(series)
    segments = Segments(series, _CORRELATIONS)
    restarts = -np.log(1 - _CORRELATIONS**2)

    def weights(costs: Floats, counts: NDArray[np.int64]) -> Floats:
        """What costs with so many steps weigh: both (correlations, numbers of steps)."""
        likelihoods = n * np.log(np.maximum(costs / n, _LEAST_NOISE))
        return np.asarray(likelihoods + (counts + 1) * restarts[:, None] + penalty * counts)

    least = least_costs(segments, n, len(_CORRELATIONS), SHORTEST)[:, None]
    most = _STEPS_AT_FIRST
    while True:
        fits = step_fits(segments, n, len(_CORRELATIONS), most, SHORTEST)
        weighed = weights(fits.costs, np.arange(fits.costs.shape[1]))
        correlation, count = (int(place) for place in np.unravel_index(np.argmin(weighed), weighed.shape))
        if most >= n // SHORTEST - 1 or weights(least, np.array([most + 1])).min() >= weighed.min():
            break  # more steps weigh more, whatever they fit
        most *= 2
    own = Segments(series, _CORRELATIONS[correlation : correlation + 1])
    return _Fitted(own, n, tuple(fits.steps(correlation, count)))


def _at(point: ChangePoint, kept: NDArray[np.int64]) -> ChangePoint:
    """The same with positions among all values that were given."""
    places = (int(kept[place]) for place in (point.index, point.earliest, point.latest))
    index, earliest, latest = places
    return ChangePoint(index, earliest, latest, point.before, point.after, point.change)
