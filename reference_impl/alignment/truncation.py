"""Cutting responses at a token before they are scored: the sentence or line that was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reference_impl.alignment.answered import Answered


@dataclass(frozen=True)
class Truncation:
    """lm-human-preferences cuts at the first `.` at or after token 16, and gives -1 for a response without one."""

    token: int
    """The response ends with its first such token ..."""
    after: int
    """... at or after this index; tokens before it are not looked at."""
    score: float
    """The score of a response that has none, whatever the reward says."""

    def __post_init__(self) -> None:
        """Refuse a place that isn't."""
        if self.after < 0:
            raise ValueError(f"a response is cut at or after index 0, not {self.after}.")


def truncated(answered: Answered, truncation: Truncation) -> tuple[Answered, bool]:
    """The response up to its truncation token, and whether it has one. One that is cut short has no EOS token."""
    try:
        end = answered.response.index(truncation.token, truncation.after) + 1
    except ValueError:
        return answered, False
    whole = end == len(answered.response)
    return replace(answered, response=answered.response[:end], ended=answered.ended and whole), True
