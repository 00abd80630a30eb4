"""A preference: two responses to one prompt, and what was said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reference_impl.alignment.answered import Answered


@dataclass(frozen=True)
class Pair:
    """Two responses to one prompt."""

    chosen: Answered
    rejected: Answered
    margin: float | None = None
    """By how much the chosen one is better, where the data say it."""
    label: float = 1.0
    """Probability that the chosen one is better: 1 in plain data, the share of raters who said so, 0.5 for a tie."""

    def __post_init__(self) -> None:
        """Refuse what compares nothing."""
        if self.chosen.prompt != self.rejected.prompt:
            raise ValueError("chosen and rejected answer different prompts, so they can't be compared.")
        if not 0 <= self.label <= 1:
            raise ValueError(f"the label of a pair is a probability, 0 to 1, not {self.label}.")
        if self.margin is not None and not math.isfinite(self.margin):
            raise ValueError(f"the margin of a pair must be finite, not {self.margin}.")


class Kept(NamedTuple):
    """Pairs that teach something."""

    places: list[int]
    """Which they are."""
    identical: int
    """So many were left out, as chosen and rejected were the same."""


def not_identical(pairs: Sequence[Pair]) -> Kept:
    """Leaves out pairs of one response with itself. Raises ValueError where no other is left."""
    if not pairs:
        raise ValueError("there are no pairs to learn from: give one at least.")
    places = [place for place, pair in enumerate(pairs) if pair.chosen.response != pair.rejected.response]
    if not places:
        raise ValueError(f"no pair is left to learn from: chosen and rejected are the same in all {len(pairs)}.")
    return Kept(places, len(pairs) - len(places))
