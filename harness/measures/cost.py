"""What a cell would take, before it runs: a measure says which passes it makes, the plan knows model and machine.

Rough arithmetic on settings and shapes. Nothing is opened, and no torch is imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.contract import Precision
from harness.models.shape import ModelShape

TOKENS_AT_ONCE = 2048
"""Tokens that windows are put together for, as scoring does: one window may be longer."""
ROWS = 16
"""Answers that are written at once."""
BYTES_PER_TOKEN = 4.0
"""Of text, under a usual vocabulary."""
STEP = 5e-4
"""Seconds that a decode step takes at least: calls, whatever is computed."""
UNKNOWN_TEXT = 300_000
"""Bytes of a text of which nothing is known."""


@dataclass(frozen=True)
class Pace:
    """How quickly one model is expected to compute here."""

    start: float
    """Seconds from starting a process to its first operation."""
    flops_per_token: float
    rate: float
    """FLOP/s."""
    read: float
    """Seconds to read all weights once."""

    def compute(self, tokens: float) -> float:
        """Seconds to read `tokens` tokens."""
        return tokens * self.flops_per_token / self.rate

    def step(self, batch: float) -> float:
        """Seconds of a decode step of `batch` sequences."""
        return max(self.read, self.compute(batch), STEP)


@dataclass(frozen=True)
class Passes:
    """A measure's largest forward pass, which decides how much memory it needs."""

    tokens: int
    """Tokens of the pass."""
    longest: int
    """Tokens of its longest sequence."""
    cached: int = 0
    """Tokens whose keys and values are kept."""
    beside: Precision | None = None
    """The same model is open at this precision too."""


def one_context(settings: object, shape: ModelShape) -> Passes:
    """One sequence that fills the context, or `TOKENS_AT_ONCE` of a longer one: for measures that don't say."""
    longest = min(shape.context, TOKENS_AT_ONCE)
    return Passes(longest, longest)


def windows(window: int, beside: Precision | None = None) -> Passes:
    """Windows of a text, as many at once as scoring puts together."""
    return Passes(max(window, TOKENS_AT_ONCE // window * window), window, 0, beside)


def tokens_of_text(text: str, documents: int | None, document_bytes: int | None) -> float:
    """Tokens that are computed to read a text in windows that overlap by half: each twice."""
    from harness.corpora import size_hint

    if documents is not None and document_bytes is not None:
        size = float(documents * document_bytes)
    else:
        known = size_hint(text)
        size = float(UNKNOWN_TEXT if known is None else known)
    return 2.0 * size / BYTES_PER_TOKEN
