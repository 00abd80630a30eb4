"""Decoding with a `transformers` model's own forward and cache, one sequence at a time: for models that our compiled
decoder can't read. Slow, and right for whatever `transformers` can compute, adapters and layers without attention too.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

UNBOUNDED = 1 << 30
"""A context for models whose config names none."""


@dataclass(frozen=True)
class DecoderShape:
    """What decoding checks its input against."""

    vocabulary: int
    context: int


class OneSequence:
    """What one sequence has left in a model; it is never cut or copied."""

    divisible = False

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.tokens: Tensor | None = None
        """(1, length): read so far."""
        self.held: Any = None
        """The model's own cache."""

    @property
    def length(self) -> int:
        """Tokens held."""
        return 0 if self.tokens is None else self.tokens.size(1)


class TransformersDecoder:
    """A `CausalModel` (`decoding/causal_model.py`) over a `transformers` causal language model."""

    def __init__(self, model: Any, context: int | None) -> None:
        self.model = model.eval()
        self.config = DecoderShape(len(model.get_output_embeddings().weight), context or UNBOUNDED)
        takes = inspect.signature(model.forward).parameters
        self._caches, self._cuts = "past_key_values" in takes, "logits_to_keep" in takes

    def new_cache(self, batch: int, length: int) -> OneSequence:
        """An empty cache. batch: 1."""
        assert batch == 1, "its caches can't be divided, so decoding has one row"
        return OneSequence(length)

    @torch.no_grad()
    def forward(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of what follows: see `Forward`. One row, without padding, with a cache.

        A model that keeps states under names of its own (Mamba, RWKV) reads the whole text again for each token.
        """
        assert cache is not None and len(tokens) == 1 and attention_mask is None and positions is None
        cache.tokens = tokens if cache.tokens is None else torch.cat((cache.tokens, tokens), 1)
        if self._caches:
            cut: dict[str, Any] = {"logits_to_keep": logits_at} if self._cuts and logits_at is not None else {}
            found = self.model(input_ids=tokens, past_key_values=cache.held, use_cache=True, **cut)
            cache.held = found.past_key_values
            if cut:
                return found.logits  # type: ignore[no-any-return]
        else:
            found = self.model(input_ids=cache.tokens, use_cache=False)
        logits: Tensor = found.logits[:, -tokens.size(1) :]
        return logits if logits_at is None else logits[:, logits_at]

    __call__ = forward
