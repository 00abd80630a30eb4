"""The caches of `transformers`, with the operations that decoding needs (`causal_model.Cache`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import Unsupported
from reference_impl.decoding.causal_model import Arrival

if TYPE_CHECKING:
    from torch import Tensor


class GrowingCache:
    """A `transformers` DynamicCache with the operations of `reference_impl`'s cache."""

    def __init__(self, grown: Any, batch: int = 1, capacity: int = 0, *, divisible: bool = True) -> None:
        """divisible: whether sequences can be put in and taken out; of what keeps a state, say, they can't."""
        self.grown = grown
        self.capacity = capacity
        self.divisible = divisible
        self.length = 0
        """Tokens held per sequence; of an empty cache, where sequences will end that are placed in it."""
        self._batch = batch

    def advance(self, time: int) -> None:
        """Count `time` more tokens as held: a pass has appended them."""
        self.length += time

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens. Raises Unsupported for a cache that has dropped some itself."""
        extra = self.length - length
        if extra > 0:
            if any(getattr(layer, "is_sliding", False) for layer in self.grown.layers):
                raise Unsupported("a sliding-window cache can't be cut back: the tokens before are gone")
            self.grown.crop(-extra)
            self.length = length

    def select(self, rows: Tensor) -> None:
        """Go on with these sequences, in this order."""
        self.grown.batch_select_indices(rows)

    def begin(self, stem: GrowingCache) -> None:
        """Hold what `stem` holds, one sequence, at the beginning of every sequence. Only for an empty cache."""
        for number, layer in enumerate(stem.grown.layers):
            if _is_filled(layer):
                repeated = (part.expand(self._batch, -1, -1, -1) for part in (layer.keys, layer.values))
                self.grown.update(*repeated, number)
        self.length = stem.length

    def keep(self, order: Sequence[int]) -> None:
        """Go on with these sequences, each once, in this order."""
        if not order:
            self.grown.reset()
        elif self.grown.get_seq_length():
            self.select(torch.tensor(list(order), device=self._layers()[0].keys.device))

    def place(self, arrivals: Sequence[Arrival]) -> None:
        """Put in sequences that other caches have read, each so that it ends where those held end."""
        length, rows = self.length, max(arrival.row for arrival in arrivals) + 1
        first: GrowingCache = arrivals[0].cache
        for number, read in enumerate(first.grown.layers):
            if not _is_filled(read):  # a layer that shares another's keys and values
                continue
            held = self.grown.layers[number] if number < len(self.grown.layers) else None
            grown = []
            for name in ("keys", "values"):
                _, heads, _, width = getattr(read, name).shape
                part = getattr(read, name).new_zeros(rows, heads, length, width)
                if held is not None and _is_filled(held):
                    part[: len(getattr(held, name))] = getattr(held, name)
                for arrival in arrivals:
                    source = getattr(arrival.cache.grown.layers[number], name)
                    part[arrival.row, :, length - arrival.tokens :] = source[arrival.cache_row, :, : arrival.tokens]
                grown.append(part)
            if held is None or not _is_filled(held):
                self.grown.update(*grown, number)
            else:
                held.keys, held.values = grown

    def align(self, length: int) -> None:
        """Let the sequences end at `length`: behind more padding, or without their first places."""
        more = length - self.length
        self.length = length
        for layer in self._layers():
            # a negative padding cuts
            layer.keys, layer.values = (
                torch.nn.functional.pad(part, (0, 0, more, 0)) for part in (layer.keys, layer.values)
            )

    def _layers(self) -> list[Any]:
        return [layer for layer in self.grown.layers if _is_filled(layer)]


def _is_filled(layer: Any) -> bool:
    return bool(layer.is_initialized) and layer.keys is not None


def keep_all(cache: Any) -> None:
    """Let layers that would drop what a sliding window has passed keep it: the model's mask hides it all the same.

    Rows of different lengths can't be put together once each has dropped something else.
    """
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    cache.layers = [DynamicLayer() if type(layer) is DynamicSlidingWindowLayer else layer for layer in cache.layers]
