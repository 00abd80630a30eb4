"""Where a response is cut before it is scored and learned from."""

from __future__ import annotations

from dataclasses import dataclass


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
