"""Decoding with a `transformers` model's own forward and cache, one sequence at a time: for models that our compiled
decoder can't read. Slow, and right for whatever `transformers` can compute, adapters and layers without attention too.
"""

from __future__ import annotations

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
    """A cache of `transformers` that one sequence fills from its beginning; it is never cut or copied."""

    divisible = False

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.held: Any = None


class TransformersDecoder:
    """A `CausalModel` (`decoding/causal_model.py`) over a `transformers` causal language model."""

    def __init__(self, model: Any, context: int | None) -> None:
        self.model = model.eval()
        self.config = DecoderShape(len(model.get_output_embeddings().weight), context or UNBOUNDED)

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
        """Logits of what follows: see `Forward`. One row, without padding, with a cache."""
        assert cache is not None and len(tokens) == 1 and attention_mask is None and positions is None
        keep: Any = 0 if logits_at is None else logits_at
        found = self.model(input_ids=tokens, past_key_values=cache.held, use_cache=True, logits_to_keep=keep)
        cache.held = found.past_key_values
        cache.length += tokens.size(1)
        logits: Tensor = found.logits
        return logits

    __call__ = forward
