"""How a metric of two runs is judged: by its kind, which its declaration decides, with the margin that goes with it.

| kind | what it is | change | default margin |
|---|---|---|---|
| time | a time or a rate that the machine decides | of the time, as a share | 0.05 |
| memory | bytes that were measured | as a share | 0.05 |
| count | counted, never measured: bytes of weights, positions computed | as a share | 0: equal |
| loss | a mean log-likelihood or divergence over documents | of the mean, as a share | 0.01 |
| score | right or wrong, a score between 0 and 1 | absolute: 0.02 is two points | 0.02 |

What is none of them (a median of a divergence, a score that may be of either sign) has no rule, and is shown alone.
"""

from __future__ import annotations

from enum import StrEnum

from harness.measures.registry import MEASURES, declared
from harness.results.record import Direction, Metric, Record


class Kind(StrEnum):
    """What decides whether a metric became worse."""

    TIME = "time"
    MEMORY = "memory"
    COUNT = "count"
    LOSS = "loss"
    SCORE = "score"
    OTHER = "other"


DEFAULT_MARGINS = {Kind.TIME: 0.05, Kind.MEMORY: 0.05, Kind.COUNT: 0.0, Kind.LOSS: 0.01, Kind.SCORE: 0.02}
"""The smallest change for the worse that is of interest where a suite names none."""

_SHARES = ("share", "fraction", "probability")
_LOSSES = ("bits/byte", "per byte", "per word", "per document")
"""Units of what tasks make of log-likelihoods."""
_DEPENDS = {"time": Kind.TIME, "memory": Kind.MEMORY}


def kind_of(record: Record) -> Kind:
    """The kind of a record's metric. What nobody declared is a time, unless a task file does: a measure that is not
    installed may have measured anything."""
    metric = declared(record)
    if metric is not None:
        return kind_of_metric(metric)
    if record.measure != "task":
        return Kind.OTHER if record.measure in MEASURES else Kind.TIME
    return Kind.SCORE if record.unit in _SHARES else Kind.OTHER


def kind_of_metric(metric: Metric) -> Kind:
    """The kind of a declared metric."""
    if metric.depends_on is not None:
        return _DEPENDS[metric.depends_on]
    if is_counted(metric):
        return Kind.COUNT
    if metric.direction is Direction.NONE:
        return Kind.OTHER
    if metric.sums is not None and metric.sums.over is not None:
        return Kind.SCORE if metric.unit in _SHARES and metric.direction is Direction.HIGHER else Kind.LOSS
    return Kind.SCORE if metric.unit in _SHARES else Kind.LOSS if metric.unit in _LOSSES else Kind.OTHER


def is_counted(metric: Metric) -> bool:
    """Whether a metric says of itself that it is counted, so that it is the same on every machine."""
    return bool(getattr(metric, "counted", False))


def is_timed(record: Record) -> bool:
    """Whether what else a machine did decides the value too."""
    return kind_of(record) is Kind.TIME
