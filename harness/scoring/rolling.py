"""The log-likelihood of a whole text, cut into windows that a model can read."""

from __future__ import annotations

from harness.models.contract import Tokenizer
from harness.scoring.pairs import Mode
from harness.scoring.request import Scored


def rolling_requests(
    tokenizer: Tokenizer, text: str, context: int, mode: Mode = "right", stride: int | None = None
) -> list[Scored]:
    """The windows of `text`; each token of it is scored in exactly one of them. None for an empty text."""
    raise NotImplementedError
