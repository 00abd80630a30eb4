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
    """The record's value with its interval; None where that is not known. Of one run: a value that is no estimate is
    its own interval, which is not what another run would give (`is_counted`)."""
    if record.value is None or not math.isfinite(record.value):
        return None
    if record.low is None or record.high is None:
        stands = is_counted(record) or (record.interval == "exact" and not _of_the_machine(record))
        return PositiveEstimate(record.value, record.value, record.value) if stands else None
    if math.isnan(record.low) or math.isnan(record.high):
        return None
    if record.low > record.high or record.high <= 0 < record.value:  # of a damaged run: no interval of this value
        return None
    return PositiveEstimate(record.value, record.low, record.high)


def is_counted(record: Record) -> bool:
    """Whether its metric declares that two runs must agree on it: see `Metric.counted`."""
    from harness.measures.registry import declared

    metric = declared(record)
    return metric is not None and metric.counted


def _of_the_machine(record: Record) -> bool:
    """Whether it is a time or a memory, or nothing says that it isn't."""
    from harness.measures.registry import declared

    metric = declared(record)
    return metric is None or metric.depends_on is not None


def ratio(numerator: Point, denominator: Point) -> Ratio | None:
    """numerator / denominator; None where it does not exist (a value missing, zero, or not positive). Where nothing is
    known of how far a value that is not counted moves from run to run, a ratio of two runs has no interval."""
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
        of_two_runs = numerator.run.folder != denominator.run.folder
        if above != below and of_two_runs and not is_counted(numerator.record):
            name = numerator.record.metric
            return Ratio(above / below, None, None, f"none: how far {name} moves from run to run is not known")
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
