"""Statistics of rounds as pytest-benchmark defines them (its `stats.py`, version 5.3): quartiles by method 3 of an odd
number of rounds and method 2 of an even one, whiskers at the last rounds within 1.5 interquartile ranges."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any


def round_statistics(data: Sequence[float]) -> dict[str, Any]:
    """Everything that `stats` of a benchmark holds beside its data and iterations. data: (rounds,) seconds, one at
    least."""
    ordered, rounds, total = sorted(data), len(data), sum(data)
    mean = statistics.mean(data)
    stddev = statistics.stdev(data) if rounds > 1 else 0
    q1, q3 = _quartiles(ordered)
    iqr = q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    of_stddev = sum(not mean - stddev <= value <= mean + stddev for value in data)
    of_iqr = sum(not low <= value <= high for value in data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": rounds,
        "median": statistics.median(data),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": of_iqr,
        "stddev_outliers": of_stddev,
        "outliers": f"{of_stddev};{of_iqr}",
        "ld15iqr": ordered[min(bisect_left(ordered, low), rounds - 1)],
        "hd15iqr": ordered[max(bisect_right(ordered, high), 1) - 1],
        "ops": rounds / total if total else 0,
        "total": total,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    rounds = len(ordered)
    if rounds == 1:
        return ordered[0], ordered[0]
    if rounds % 2 == 0:
        return statistics.median(ordered[: rounds // 2]), statistics.median(ordered[rounds // 2 :])
    n, rest = divmod(rounds, 4)
    if rest == 1:
        return 0.25 * ordered[n - 1] + 0.75 * ordered[n], 0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1]
    return 0.75 * ordered[n] + 0.25 * ordered[n + 1], 0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2]
