"""The log-likelihood engine: many requests, each token of a shared prefix read once."""

from __future__ import annotations

from collections.abc import Sequence

from harness.models.contract import LanguageModel
from harness.scoring.request import OnScored, Scored, TokenScores


def score(
    model: LanguageModel, requests: Sequence[Scored], *, on_scored: OnScored | None = None
) -> list[TokenScores]:
    """The scores of each request, in the order of `requests`."""
    raise NotImplementedError
