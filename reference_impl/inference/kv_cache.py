"""Keys and values of the tokens a model has already read, so that each token is read once.

One buffer is allocated for the longest sequence and written in place: no growth, no copying, and its
size in bytes is known before the first token.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Arrival
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT


class KVCache:
    """Keys and values of up to `length` tokens of `batch` sequences, for every layer of one model.

    It is a `LayerCache` (`model/forward_pass.py`): a forward pass calls `append` once per layer and `advance` once at
    its end; `cache.length` is the number of tokens held (padding included). Only for inference: it is written in place,
    outside of autograd.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch: int,
        length: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if length > config.context:
            raise ValueError(
                f"a cache of {length} tokens is longer than the model's context of {config.context}: "
                f"ask for at most {config.context}."
            )
        shape = (config.layers, batch, config.kv_heads, length, config.head_width)
        self._room = torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device)
        self.keys, self.values = self._room
        self.length = 0

    @classmethod
    def for_model(cls, model: GPT, batch: int, length: int) -> KVCache:
        """An empty cache of the type that the model computes in, on its device."""
        return cls(model.config, batch, length, model.dtype, model.device)

    @property
    def rows(self) -> int:
        """Sequences that it holds; there may be room for more."""
        return self.keys.size(1)

    @property
    def divisible(self) -> bool:
        """Whether single sequences can be put in and taken out: always."""
        return True

    @property
    def capacity(self) -> int:
        """Tokens per sequence that it has room for."""
        return self.keys.size(3)

    @property
    def bytes(self) -> int:
        """Bytes of the whole buffer, filled or not."""
        return sum(part.nbytes for part in self._room)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write one layer's new tokens after those held; give back that layer's keys and values so far.

        keys, values: (batch, kv heads, time, head width). Returns views (batch, kv heads, length + time, head width).
        """
        end = self.length + keys.size(2)
        if end > self.capacity:
            raise ValueError(
                f"the cache has room for {self.capacity} tokens and would have to hold {end}: allocate a longer one."
            )
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, time: int) -> None:
        """Count `time` more tokens as held, once every layer has appended them."""
        self.length += time

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens, in no time: what follows them is written over.

        Raises ValueError if there are fewer.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"a cache that holds {self.length} tokens can't be cut back to {length}.")
        self.length = length

    def select(self, rows: Tensor) -> None:
        """Go on with these sequences, in this order; one may be given several times. Copies the cache.

        rows: (n,) int64 indexes into the batch.
        """
        self._room = self.keys.index_select(1, rows), self.values.index_select(1, rows)
        self.keys, self.values = self._room

    def begin(self, stem: KVCache) -> None:
        """Hold what `stem` holds, one sequence, at the beginning of every sequence. Only for an empty cache."""
        self.keys[..., : stem.length, :] = stem.keys[..., : stem.length, :]
        self.values[..., : stem.length, :] = stem.values[..., : stem.length, :]
        self.length = stem.length

    def keep(self, order: Sequence[int]) -> None:
        """Go on with these sequences, each once, in this order. What stays where it is is not copied."""
        if any(row != place and row < len(order) for place, row in enumerate(order)):
            self.select(torch.tensor(order, device=self.keys.device))
            return
        for place, row in enumerate(order):
            if row != place:
                for part in (self.keys, self.values):
                    part[:, place, :, : self.length] = part[:, row, :, : self.length]
        self.keys, self.values = (part[:, : len(order)] for part in self._room)

    def place(self, arrivals: Sequence[Arrival]) -> None:
        """Put in sequences that other caches have read, each so that it ends where those held end.

        A row beyond those held adds a sequence; the room for it is that of the constructor's `batch`.
        """
        rows = max([self.rows, *(arrival.row + 1 for arrival in arrivals)])
        self.keys, self.values = (part[:, :rows] for part in self._room)
        for arrival in arrivals:
            start = self.length - arrival.tokens
            for part, read in ((self.keys, arrival.cache.keys), (self.values, arrival.cache.values)):
                part[:, arrival.row, :, start : self.length] = read[:, arrival.cache_row, :, : arrival.tokens]

    def align(self, length: int) -> None:
        """Let the sequences end at `length`: behind more padding, or without their first places."""
        for part in (self.keys, self.values):
            for layer in part:
                kept = min(length, self.length)
                layer[:, :, length - kept : length] = layer[:, :, self.length - kept : self.length].clone()
        self.length = length
