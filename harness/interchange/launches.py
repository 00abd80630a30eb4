"""What the launches of one benchmark come to.

A launch is a process. Rounds of one process share their luck (their correlation is about .9 on a shared machine), so
that any number of them is one launch, and nothing in them tells how far the next launch lies: an interval over rounds
is none. Several files of one benchmark are as many launches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.interchange.content import Benchmark
from harness.measures.measure import LAUNCH
from harness.results.record import Measurement, Metric
from harness.statistics.intervals import Interval, geometric_mean, ratio_of_sums

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 3
"""Launches for an interval, as our own measures have it."""
ONE = "none: all rounds are of one process, which is one launch, and tell nothing of how far the next one lies"


def summed_up(benchmark: Benchmark) -> list[Measurement]:
    """A number for each metric that launches have values of."""
    found = []
    for metric in benchmark.metrics:
        values = [launch.values[metric.name] for launch in benchmark.launches if metric.name in launch.values]
        if values:
            found.append(_measurement(metric, values))
    return found


def rounds_of(benchmark: Benchmark) -> pd.DataFrame | None:
    """The samples: every round, with the number of its launch, from 1; None where the files have no rounds."""
    import pandas as pd

    frames = []
    for number, launch in enumerate(benchmark.launches, start=1):
        if launch.rows:
            frame = pd.DataFrame(launch.rows)
            frame.insert(0, LAUNCH, number)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else None


def _measurement(metric: Metric, values: Sequence[float]) -> Measurement:
    n = len(values)
    center, how = _center(values)
    if n == 1:
        how = ONE
    elif n < ENOUGH:
        how = f"none: {n} launches, and {ENOUGH} are the least for an interval"
    ends = (center.low, center.high) if n >= ENOUGH else (None, None)
    return Measurement(
        metric=metric, value=center.value, low=ends[0], high=ends[1], interval=how, n=n, n_unit="launches"
    )


def _center(values: Sequence[float]) -> tuple[Interval, str]:
    if len(values) == 1:
        return Interval(values[0], None, None, 1), ""
    if min(values) > 0:
        with np.errstate(over="ignore"):  # launches that differ by hundreds of orders have an end at infinity
            return geometric_mean(values), "t over logs of launches"
    return ratio_of_sums(values, [1.0] * len(values)), "t over launches"
