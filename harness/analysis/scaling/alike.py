"""Values that were meant to be the same: sizes read off a figure, budgets that a whole number of steps just misses."""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.law import Floats


def alike(values: Floats, tolerance: float = 0.01) -> np.ndarray:
    """A label per value, 0 for the smallest: neighbors within `tolerance` of each other, in logs, share it. (n,)."""
    order = np.argsort(values, kind="stable")
    labels = np.empty(len(values), dtype=int)
    labels[order] = np.concatenate([[0], np.cumsum(np.diff(np.log(values[order])) > tolerance)])
    return labels
