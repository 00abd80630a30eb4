"""Which examples a step learns from: a pure function of (seed, step), each example once per epoch, in a fresh order."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def examples_at(step: int, *, batch: int, count: int, seed: int) -> list[int]:
    """Indices of the `batch` examples of `step` (from 0) among `count`. Batches go on across the end of an epoch."""
    places = range(step * batch, (step + 1) * batch)
    return [_order(count, seed, place // count)[place % count] for place in places]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return order
