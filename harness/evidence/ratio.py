"""The ratio of two records, with the best interval that their evidence supports.

Quality over the same documents is paired by document, from the samples. Everything else is combined from the two
records' own intervals, which assumes that the two were measured independently and that the machine did not change
between them: true of two texts, only hoped for of two timings.
"""

from __future__ import annotations

import math
from dataclasses import replace

from harness.evidence.per_document import per_document
from harness.evidence.selection import Point
from harness.results.record import Record
from harness.statistics.ratios import (
    PositiveEstimate,
    Ratio,
    independent_ratio,
    paired_ratio_of_exponentials,
    paired_ratio_of_means,
)


def estimate(record: Record) -> PositiveEstimate | None:
    """The record's value with its interval; None where the interval is not known (an exact value has one)."""
    if record.value is None or not math.isfinite(record.value):
        return None
    if record.low is None or record.high is None:
        return PositiveEstimate(record.value, record.value, record.value) if record.interval == "exact" else None
    if math.isnan(record.low) or math.isnan(record.high):
        return None
    return PositiveEstimate(record.value, record.low, record.high)


def ratio(numerator: Point, denominator: Point) -> Ratio | None:
    """numerator / denominator; None where it does not exist (a value missing, zero, or not positive)."""
    above, below = numerator.record.value, denominator.record.value
    if above is None or below is None or not above > 0 or not below > 0:
        return None
    if math.isinf(above) or math.isinf(below):
        return None
    paired = _paired(numerator, denominator)
    if paired is not None:
        return paired
    tops, bottoms = estimate(numerator.record), estimate(denominator.record)
    if tops is None or bottoms is None:
        which = numerator.record if tops is None else denominator.record
        return Ratio(above / below, None, None, f"none: {which.model} has no interval ({which.interval})")
    if tops.low == tops.high and bottoms.low == bottoms.high:
        return Ratio(above / below, above / below, above / below, "exact")
    result = independent_ratio(tops, bottoms)
    # what the parts' own intervals leave out (variance between launches), the ratio's leaves out too
    return replace(result, method=f"{result.method}: {numerator.record.interval}")


def _paired(numerator: Point, denominator: Point) -> Ratio | None:
    if numerator.record.metric != denominator.record.metric:
        return None
    above, below = per_document(numerator), per_document(denominator)
    if above is None or below is None or not above.same_text(below) or len(above.documents) < 2:
        return None
    from harness.measures.registry import declared

    metric = declared(numerator.record)
    exponential = metric is not None and metric.sums is not None and metric.sums.exponential
    compare = paired_ratio_of_exponentials if exponential else paired_ratio_of_means
    return compare((above.sums, above.weights), (below.sums, below.weights), numerator.record.confidence)
