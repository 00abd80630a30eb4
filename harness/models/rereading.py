"""In place of a KV cache, where a model's own can't be used: the tokens so far, which are read again at each step."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.models.contract import LanguageModel
from harness.models.stand_in import StandIn


def served(model: LanguageModel, longest: int, *, divided: bool = False) -> LanguageModel:
    """The model where a cache of its own serves sequences of up to so many tokens; else one that reads all again.

    divided: whether sequences must be cut back or copied, as in speculation and beam search.
    """
    behavior = model.identity.cache
    return model if behavior.serves(longest) and (behavior.divisible or not divided) else Rereading(model)


class Rereading(StandIn):
    """A model that reads a text again for each token that follows it; the same logits."""

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> TokensRead:
        """Nothing read yet."""
        return TokensRead(length)

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        cache: TokensRead | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """See `Logits.forward`; with a cache at some of the last positions, from passes over all that was read before.

        Each position has a pass of its own where the length of a text changes the numbers at its beginning.
        """
        if cache is None:
            return self._model.forward(tokens, None, positions, attention_mask, logits_at)
        whole, new, behavior = cache.extended(tokens), tokens.shape[1], self.identity.cache
        at = torch.arange(new, device=whole.device) if logits_at is None else logits_at
        at = at + (whole.shape[1] - new)
        found = []
        for row in [whole] if behavior.rows else [row[None] for row in whole]:
            if behavior.limit is None:
                found.append(self._model.forward(row, logits_at=at))
            else:
                last = [torch.tensor([end], device=whole.device) for end in at.tolist()]
                each = [self._model.forward(row[:, : int(end) + 1], logits_at=end) for end in last]
                found.append(torch.cat(each, dim=1))
        return torch.cat(found)


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
