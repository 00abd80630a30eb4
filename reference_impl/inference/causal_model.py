"""What decoding needs of a model: logits of the next token, and a cache that can be cut and reordered.

`Engine` is one; so is any adapter of another library's model with these few methods.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Shape(Protocol):
    """The two numbers that decoding checks its input against."""

    @property
    def vocabulary(self) -> int:
        """Width of the logits; may be padded beyond the tokenizer's ids."""

    @property
    def context(self) -> int:
        """Longest sequence, in tokens."""


class Cache(Protocol):
    """Keys and values of the tokens read so far, for a batch of sequences."""

    @property
    def length(self) -> int:
        """Tokens held per sequence, padding included."""

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""

    def select(self, rows: Tensor) -> None:
        """Go on with these sequences, in this order; one may be given several times. rows: (n,) int64."""


class CausalModel(Protocol):
    """A model that continues sequences."""

    @property
    def config(self) -> Shape:
        """Its vocabulary and context."""

    def new_cache(self, batch: int, length: int) -> Any:
        """An empty `Cache` for `batch` sequences of up to `length` tokens."""

    def __call__(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token, as `GPT.forward` gives them."""
