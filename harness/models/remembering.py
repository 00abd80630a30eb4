"""A model that keeps what it read last, so that a text that begins alike is read from where it differs.

A conversation is one: every turn's prompt is the one before with an answer and a question more. It stands where a model
does, for one sequence at a time, as `rereading.Rereading` does where no cache can be used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.common_prefix import common_prefix
from harness.models.contract import LanguageModel
from harness.models.stand_in import StandIn

SPARE = 256
"""Tokens, at least, that a cache has room for beyond what it is asked for: a conversation grows."""


class Remembering(StandIn):
    """The same logits, up to rounding; only for models whose cache may be cut back (`can_remember`)."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self._held: Any = None
        self._tokens: list[int] = []
        self.reused = 0
        """Tokens of the last prompt that were not read again."""

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> KeptTokens:
        """Nothing read yet, as far as the reader knows."""
        return KeptTokens(length)

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        cache: KeptTokens | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """See `Logits.forward`. With a cache: of one sequence, at its last position."""
        if cache is None or len(tokens) > 1:
            return self._model.forward(tokens, None, positions, attention_mask, logits_at)
        read, known = self._tokens, cache.length
        wanted = [*read[:known], *tokens[0].tolist()]
        if known == 0:  # a new prompt: all but its last token may be known, for whose logits it must be read
            known = self.reused = min(common_prefix(read, wanted), len(wanted) - 1)
        held = self._with_room(known, len(wanted))
        self._held, self._tokens = None, []  # whatever ends a pass before its end leaves nothing half read
        held.truncate(known)
        new = tokens.new_tensor([wanted[known:]])
        logits = self._model.forward(new, cache=held, logits_at=tokens.new_tensor([len(wanted) - known - 1]))
        self._held, self._tokens, cache.length = held, wanted, len(wanted)
        return logits

    def _with_room(self, known: int, wanted: int) -> Any:
        """A cache that holds so many known tokens at least and has room for all that are wanted."""
        before = self._held
        if before is not None and wanted <= before.capacity:
            return before
        held = self._model.new_cache(1, min(self.identity.context, wanted + max(SPARE, wanted // 2)))
        if before is not None and known:
            before.truncate(known)
            held.begin(before)
        return held


class KeptTokens:
    """How far the one sequence was read."""

    divisible = False
    """There is one sequence."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0


def can_remember(model: LanguageModel) -> bool:
    """Whether a cache of the model's own can hold its longest text and be cut back."""
    behavior = model.identity.cache
    return behavior.divisible and behavior.serves(model.identity.context)
