"""Cutting responses at a token before they are scored: the sentence or line that was asked for."""

from __future__ import annotations

from dataclasses import replace

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.settings.truncation import Truncation


def truncated(answered: Answered, truncation: Truncation) -> tuple[Answered, bool]:
    """The response up to its truncation token, and whether it has one. One that is cut short has no EOS token."""
    try:
        end = answered.response.index(truncation.token, truncation.after) + 1
    except ValueError:
        return answered, False
    whole = end == len(answered.response)
    return replace(answered, response=answered.response[:end], ended=answered.ended and whole), True
