"""What is asked of the log-likelihood engine, and what comes back: token ids, no text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scored:
    """How likely is each of the tokens `ids[start:]`, given all the tokens before it?"""

    ids: tuple[int, ...]
    start: int
    """The first token that is scored: at least one comes before it."""

    def __post_init__(self) -> None:
        if not 1 <= self.start < len(self.ids):
            raise ValueError(
                f"of {len(self.ids)} tokens, those from {self.start} on can't be scored: one token at least must come "
                "before them, and one must be scored"
            )

    @property
    def read(self) -> tuple[int, ...]:
        """What the model reads: all but the last token, which is only predicted."""
        return self.ids[:-1]


@dataclass(frozen=True, eq=False)
class TokenScores:
    """Of one request; both arrays have `len(ids) - start` entries."""

    log_probs: NDArray[np.float64]
    """ln p(token | the tokens before it), in nats. The softmax is taken in fp32 whatever the model computes in."""
    greedy: NDArray[np.bool_]
    """Whether the token is the one that the model thinks likeliest."""

    @property
    def total(self) -> float:
        """The log-likelihood of the scored tokens together."""
        return float(self.log_probs.sum())

    @property
    def all_greedy(self) -> bool:
        """Whether greedy decoding would give these tokens."""
        return bool(self.greedy.all())


OnScored = Callable[[Sequence[int], Sequence[TokenScores]], None]
"""Called as soon as requests are done: their places in the list of requests, and their scores."""
