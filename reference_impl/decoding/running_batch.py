"""Sequences that are decoded together while some end and others come: their rows and the cache that holds them.

All end at the same place of the cache, where the next token is written, and each begins wherever its length says. What
lies before that, be it padding or what a sequence left that was in the row earlier, is hidden by a mask, and positions
count real tokens; so a sequence depends on itself alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Cache, CausalModel
from reference_impl.decoding.reading import Read

SPARE = 64
"""Tokens, at least, that a cache has room for beyond the longest sequence, so that sequences seldom have to move."""


@dataclass
class Row:
    """A request while it has a place in the batch."""

    number: int
    stream: torch.Generator
    seen: Tensor | None
    """(vocabulary,) bool: the tokens so far; None where no repetition penalty asks for them."""
    tokens: int
    """Held for it in the cache: its prompt's and its own that were read back."""
    last: int = -1
    """The token that is read next."""


class RunningBatch:
    """Up to `places` rows. A model whose caches can't be divided has one place."""

    def __init__(self, model: CausalModel, places: int, longest: int, device: torch.device | str) -> None:
        """longest: of all sequences that will ever be in it, in tokens that are read."""
        self.divisible: bool = model.new_cache(1, 1).divisible
        self.places = places if self.divisible else 1
        self.rows: list[Row] = []
        self._model = model
        self._room = min(model.config.context, longest + max(SPARE, longest // 4))
        self._device = device
        self._cache: Cache | None = None

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return self.places - len(self.rows)

    def enter(self, rows: Sequence[Row], reads: Sequence[Read]) -> None:
        """Let requests whose prompts were read take free places."""
        if not rows:
            return
        before, self.rows = len(self.rows), [*self.rows, *rows]
        if not self.divisible:
            self._cache = reads[0].cache
            return
        if self._cache is None:
            self._cache = self._model.new_cache(self.places, self._room)
            self._cache.keep([])
        longest = self._longest()
        if before == 0 or self._cache.length < longest:
            self._cache.align(longest)
        self._cache.place([read.arriving(before + place) for place, read in enumerate(reads)])

    def read_last(self) -> Tensor:
        """Read every row's last token; give back the logits that follow: (rows, vocabulary)."""
        cache = self._cache
        assert cache is not None and self.rows
        if self.divisible:
            longest = self._longest()
            if cache.length == cache.capacity or cache.length > 2 * longest + SPARE:  # full, or mostly padding
                cache.align(longest)
        padding = torch.tensor([cache.length - row.tokens for row in self.rows], device=self._device)
        places = torch.arange(cache.length + 1, device=self._device)
        mask = None
        if any(row.tokens < cache.length for row in self.rows):
            mask = (places >= padding[:, None]).long()
        tokens = torch.tensor([[row.last] for row in self.rows], device=self._device)
        logits = self._model.forward(tokens, cache=cache, attention_mask=mask)[:, 0]
        for row in self.rows:
            row.tokens += 1
        return logits

    def keep(self, going: Sequence[bool]) -> None:
        """Let go of the rows that have ended."""
        if all(going):
            return
        order = closed_up(going)
        self.rows = [self.rows[row] for row in order]
        if self.divisible and self._cache is not None:
            self._cache.keep(order)

    def _longest(self) -> int:
        return max(row.tokens for row in self.rows)


def closed_up(going: Sequence[bool]) -> list[int]:
    """Which rows go on, in an order that moves few: the last ones take the places that come free."""
    order = [row for row, goes in enumerate(going) if goes]
    last = [row for row in order if row >= len(order)]
    return [row if going[row] else last.pop() for row in range(len(order))]
