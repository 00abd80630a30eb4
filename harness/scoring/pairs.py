"""A context and its continuation, as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.models.contract import Tokenizer
from harness.scoring.request import Scored

Mode = Literal["right", "lm-eval"]


@dataclass(frozen=True)
class EncodedPair:
    """What the engine is asked, and how much of the context did not fit."""

    scored: Scored
    cut: int = 0
    """Tokens of the context that were dropped at its left, so that the rest fits the model."""


@dataclass(frozen=True)
class Unscorable:
    """A pair that can't be asked."""

    reason: str
    """One clause with the mend, to follow the name of the document."""


def encode_pairs(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], context: int, mode: Mode = "right"
) -> list[EncodedPair | Unscorable]:
    """Each (context, continuation) as token ids. context: the model's, in tokens."""
    raise NotImplementedError
