"""In place of a KV cache, for models whose own can't be used: the tokens so far, which are read again at each step."""

from __future__ import annotations

import torch
from torch import Tensor


class TokensRead:
    """The tokens that a batch of equally long sequences has read."""

    divisible = False
    """Sequences of different lengths are read one at a time."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._tokens: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens per sequence."""
        return 0 if self._tokens is None else self._tokens.shape[1]

    def extended(self, tokens: Tensor) -> Tensor:
        """All tokens with these after them, which count as read from now on. (batch, time) -> (batch, length)."""
        self._tokens = tokens if self._tokens is None else torch.cat([self._tokens, tokens], dim=1)
        return self._tokens

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if self._tokens is not None:
            self._tokens = self._tokens[:, :length]

    def select(self, rows: Tensor) -> None:
        """Go on with these sequences, in this order."""
        if self._tokens is not None:
            self._tokens = self._tokens[rows]
