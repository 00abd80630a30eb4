"""Which items are learned from at which step: a pure function of (seed, step), as `training/batches.py` for text.

An epoch is a random order of all items, each once; the next epoch is another order. Nothing depends on what was drawn
before, so a run that goes on from step 1000 learns what a straight one does.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Places = tuple[int, ...]
"""Which items, by their places in the data."""


@dataclass(frozen=True)
class Order:
    """Batches of a fixed number of items, in the order of their epochs: a batch may end one and begin the next.

    Raises ValueError for no items or no batch.
    """

    items: int
    batch: int
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self.items, self.batch)

    def places(self, step: int) -> Places:
        """What is learned from at a step (from 0)."""
        return tuple(self._place(index) for index in range(step * self.batch, (step + 1) * self.batch))

    def epoch(self, step: int) -> float:
        """How often all items were learned from before this step."""
        return step * self.batch / self.items

    def steps(self, epochs: float) -> int:
        """The fewest steps that have so many epochs."""
        return math.ceil(epochs * self.items / self.batch)

    def _place(self, index: int) -> int:
        epoch, at = divmod(index, self.items)
        return int(_shuffled(self.items, self.seed, epoch)[at])


class OrderWithin:
    """Batches of as many items as a budget of tokens allows: an epoch's order is cut greedily, and its last batch has
    what is left."""

    def __init__(self, lengths: Sequence[int], tokens: int, *, batch: int | None = None, seed: int = 0) -> None:
        """lengths: tokens of each item. tokens, batch: most tokens and items of a batch.

        Raises ValueError for no items or no batch, and where an item alone is larger than the budget.
        """
        _check(len(lengths), 1 if batch is None else batch)
        if (longest := max(lengths)) > tokens:
            raise ValueError(
                f"item {list(lengths).index(longest)} has {longest} tokens, and a batch at most {tokens}: "
                "raise the budget, or shorten what is encoded (`Limits`)."
            )
        self._lengths, self._tokens, self._seed = tuple(lengths), tokens, seed
        self._most = len(lengths) if batch is None else batch
        self._ends: list[int] = []
        """Of each epoch that was asked for, the step after its last one."""
        self._epoch_of_batches = -1
        self._batches_of_epoch: list[Places] = []

    def places(self, step: int) -> Places:
        """What is learned from at a step (from 0)."""
        epoch, first = self._epoch_of(step)
        return self._batches(epoch)[step - first]

    def epoch(self, step: int) -> float:
        """How often all items were learned from before this step."""
        epoch, first = self._epoch_of(step)
        return epoch + sum(map(len, self._batches(epoch)[: step - first])) / len(self._lengths)

    def steps(self, epochs: int) -> int:
        """The steps of so many epochs."""
        while len(self._ends) < epochs:
            self._add_epoch()
        return self._ends[epochs - 1] if epochs else 0

    def _epoch_of(self, step: int) -> tuple[int, int]:
        """(epoch of a step, first step of that epoch): the orders before it say how many steps they had."""
        while not self._ends or self._ends[-1] <= step:
            self._add_epoch()
        epoch = bisect_right(self._ends, step)
        return epoch, self._ends[epoch - 1] if epoch else 0

    def _add_epoch(self) -> None:
        before = self._ends[-1] if self._ends else 0
        self._ends.append(before + len(self._batches(len(self._ends))))

    def _batches(self, epoch: int) -> list[Places]:
        if epoch != self._epoch_of_batches:
            self._epoch_of_batches, self._batches_of_epoch = epoch, list(self._cut(epoch))
        return self._batches_of_epoch

    def _cut(self, epoch: int) -> Iterator[Places]:
        batch: list[int] = []
        tokens = 0
        for place in map(int, _shuffled(len(self._lengths), self._seed, epoch)):
            if batch and (tokens + self._lengths[place] > self._tokens or len(batch) == self._most):
                yield tuple(batch)
                batch, tokens = [], 0
            batch.append(place)
            tokens += self._lengths[place]
        yield tuple(batch)


def _check(items: int, batch: int) -> None:
    if items < 1 or batch < 1:
        raise ValueError(f"batches of {batch} out of {items} items: each must be 1 at least.")


@lru_cache(maxsize=4)
def _shuffled(items: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of all items in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(items)
