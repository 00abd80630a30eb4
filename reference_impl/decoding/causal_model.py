"""What decoding needs of a model: logits of the next token, and a cache that can be cut and reordered.

`Engine` is one; so is any adapter of another library's model with these few methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from reference_impl.model.forward_pass import Forward


class Shape(Protocol):
    """The two numbers that decoding checks its input against."""

    @property
    def vocabulary(self) -> int:
        """Width of the logits; may be padded beyond the tokenizer's ids."""

    @property
    def context(self) -> int:
        """Longest sequence, in tokens."""


@dataclass(frozen=True)
class Arrival:
    """A sequence that one cache has read and another is to go on with."""

    row: int
    """Its row in the cache that goes on."""
    cache: Any
    """The cache that has read it, of the same model."""
    cache_row: int
    tokens: int
    """It is the row's first so many tokens."""


class Cache(Protocol):
    """Keys and values of the tokens read so far, for a batch of sequences."""

    @property
    def length(self) -> int:
        """Tokens held per sequence, padding included."""

    @property
    def capacity(self) -> int:
        """Tokens per sequence that there is room for."""

    @property
    def divisible(self) -> bool:
        """Whether `begin`, `keep`, `place` and `align` can be done: not where a layer keeps no token apart."""

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""

    def select(self, rows: Tensor) -> None:
        """Go on with these sequences, in this order; one may be given several times. rows: (n,) int64."""

    def begin(self, stem: Any) -> None:
        """Hold what `stem` holds, one sequence, at the beginning of every sequence. Only for an empty cache."""

    def keep(self, order: Sequence[int]) -> None:
        """Go on with these sequences, each once, in this order."""

    def place(self, arrivals: Sequence[Arrival]) -> None:
        """Put in sequences that other caches have read, each so that it ends where those held end.

        Rows are replaced, or added in order after the last.
        """

    def align(self, length: int) -> None:
        """Let the sequences end at `length`: behind more padding, or without their first places."""


class CausalModel(Protocol):
    """A model that continues sequences."""

    @property
    def config(self) -> Shape:
        """Its vocabulary and context."""

    def new_cache(self, batch: int, length: int) -> Any:
        """An empty `Cache` for `batch` sequences of up to `length` tokens."""

    @property
    def forward(self) -> Forward:
        """Reads tokens and gives the logits of what follows them."""
