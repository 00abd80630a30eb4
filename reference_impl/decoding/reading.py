"""Reading prompts before they are continued: each distinct one once, a stem that several share once, in few passes.

Rows of one pass are padded on the right: a causal model never looks at what comes after a token, so no mask is needed,
and the padding is not copied to the cache that decoding goes on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Arrival, Cache, CausalModel
from reference_impl.decoding.prefixes import Distinct, Family, families

TOKENS_PER_PASS = 2048
"""Most tokens that are read at once (a single prompt may have more): more gains nothing on a CPU and costs memory."""
HELD_PER_PASS = 4096
"""And most that the pass's cache holds, a stem counted for each prompt: it is there beside the cache that goes on."""
PADDING = 16
"""A pass takes no prompt that is shorter than its longest by more than this and by more than a fourth."""


@dataclass(frozen=True)
class Read:
    """A request whose prompt has been read."""

    number: int
    cache: Cache
    """Holds the prompt's tokens at the beginning of a row."""
    cache_row: int
    tokens: int
    logits: Tensor
    """What follows the prompt: (vocabulary,)."""

    def arriving(self, row: int) -> Arrival:
        """The prompt as it comes to a row of another cache."""
        return Arrival(row, self.cache, self.cache_row, self.tokens)


class Reader:
    """Reads the prompts of numbered requests when they are wanted, longest family first."""

    def __init__(
        self, model: CausalModel, prompts: Mapping[int, Sequence[int]], device: torch.device | str, sharing: bool
    ) -> None:
        """sharing: whether the model's caches can be copied row by row; else each prompt is read for itself."""
        self._model = model
        self._device = device
        self._sharing = sharing
        if sharing:
            self._families = families(prompts)
        else:
            ordered = sorted(prompts, key=lambda number: (-len(prompts[number]), number))
            self._families = [Family(0, tuple(Distinct(tuple(prompts[n]), (n,)) for n in ordered))]
        self._families.reverse()  # the next one last
        self._waiting: list[Distinct] = []
        self._stem: Cache | None = None

    def read(self, wanted: int) -> list[Read]:
        """Read prompts of `wanted` requests, or a few more where requests have one prompt; none if none is left.

        They may be fewer: prompts of one pass are of one family and about equally long.
        """
        if not self._waiting:
            if not self._families:
                return []
            family = self._families.pop()
            self._waiting = list(reversed(family.members))
            self._stem = self._read_stem(family.members[0].prompt[: family.stem]) if family.stem else None
        known = 0 if self._stem is None else self._stem.length
        chosen = [self._waiting.pop()]
        longest = len(chosen[0].prompt) - known
        while self._waiting and self._sharing and sum(len(d.numbers) for d in chosen) < wanted:
            rest = len(self._waiting[-1].prompt) - known
            rows = len(chosen) + 1
            if rest < longest - max(PADDING, longest // 4):
                break
            if rows * longest > TOKENS_PER_PASS or rows * (known + longest) > HELD_PER_PASS:
                break
            chosen.append(self._waiting.pop())
        return self._read(chosen, known, longest)

    def _read(self, chosen: Sequence[Distinct], known: int, longest: int) -> list[Read]:
        cache: Cache = self._model.new_cache(len(chosen), known + longest)
        if self._stem is not None:
            cache.begin(self._stem)
        rests = [distinct.prompt[known:] for distinct in chosen]
        tokens = torch.tensor([[*rest, *[0] * (longest - len(rest))] for rest in rests], device=self._device)
        ends = sorted({len(rest) - 1 for rest in rests})
        logits = self._model.forward(tokens, cache=cache, logits_at=torch.tensor(ends, device=self._device))
        return [
            Read(number, cache, row, len(distinct.prompt), logits[row, ends.index(len(rest) - 1)])
            for row, (distinct, rest) in enumerate(zip(chosen, rests, strict=True))
            for number in distinct.numbers
        ]

    def _read_stem(self, stem: Sequence[int]) -> Cache:
        cache: Cache = self._model.new_cache(1, len(stem))
        tokens = torch.tensor([list(stem)], device=self._device)
        self._model.forward(tokens, cache=cache, logits_at=torch.tensor([len(stem) - 1], device=self._device))
        return cache
