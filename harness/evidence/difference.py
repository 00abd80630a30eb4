"""The difference of two records, with the best interval that their evidence supports: for values that may be 0, or of
which a ratio says little (an accuracy)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.evidence.per_document import PerDocument, per_document
from harness.evidence.ratio import estimate, is_counted
from harness.evidence.selection import Point
from harness.measures.registry import declared
from harness.statistics.influence import by_cluster, ratio_influences, t_interval
from harness.statistics.intervals import Interval
from harness.statistics.paired_proportions import clustered_difference

INDEPENDENT = "two independent intervals (MOVER)"


@dataclass(frozen=True)
class Difference:
    """A difference in the metric's unit, its interval and how that was made."""

    value: float
    low: float | None
    high: float | None
    method: str


def difference(of: Point, less: Point) -> Difference | None:
    """`of` less `less`; None where one has no finite value. Quality over the same documents is paired; all else is
    combined from the two records' own intervals, whose distances add in quadrature (Zou & Donner 2008, Statistics in
    Medicine 27:1693)."""
    above, below = of.record.value, less.record.value
    if above is None or below is None or not (math.isfinite(above) and math.isfinite(below)):
        return None
    if (paired := _paired(of, less)) is not None:
        return Difference(above - below, paired.low, paired.high, "paired by document")
    a, b = estimate(of.record), estimate(less.record)
    if a is None or b is None:
        which = of.record if a is None else less.record
        return Difference(above - below, None, None, f"none: {which.model} has no interval ({which.interval})")
    if a.low == a.high and b.low == b.high:
        if above != below and of.run.folder != less.run.folder and not is_counted(of.record):
            why = f"none: how far {of.record.metric} moves from run to run is not known"
            return Difference(above - below, None, None, why)
        return Difference(above - below, above - below, above - below, "exact")
    down = math.hypot(a.value - a.low, b.high - b.value)
    up = math.hypot(a.high - a.value, b.value - b.low)
    return Difference(above - below, above - below - down, above - below + up, f"{INDEPENDENT}: {of.record.interval}")


def _paired(of: Point, less: Point) -> Interval | None:
    """None where the two don't share their documents."""
    if of.record.metric != less.record.metric:
        return None
    a, b = per_document(of), per_document(less)
    if a is None or b is None or not a.same_text(b) or len(a.documents) < 2:
        return None
    values = [one.sums / one.weights for one in (a, b)]
    if all(bool(np.isin(each, (0.0, 1.0)).all()) for each in values):
        return clustered_difference(values[1] == 1, values[0] == 1, a.clusters, of.record.confidence)
    change = _influences(of, a) - _influences(less, b)
    value = (of.record.value or 0.0) - (less.record.value or 0.0)
    return t_interval(value, by_cluster(change, a.clusters), of.record.confidence)


def _influences(point: Point, evidence: PerDocument) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What each document adds to the deviation of the metric: that of its mean, times the metric's slope there."""
    metric = declared(point.record)
    sums = None if metric is None or point.record.measure == "task" else metric.sums
    slope = 1.0
    if sums is not None:
        slope = sums.factor * ((point.record.value or 0.0) if sums.exponential else 1.0)
    return slope * ratio_influences(evidence.sums, evidence.weights)
