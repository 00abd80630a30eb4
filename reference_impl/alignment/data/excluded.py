"""What of the data isn't used, or not whole: counted by reason, never dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class Unusable(Exception):
    """A row that is whole and can't be used: its reason. It is counted, and the rest of the data goes on."""


@dataclass(frozen=True)
class Excluded:
    """So many rows were left out, or shortened, for one reason."""

    reason: str
    count: int
    first: str
    """Place of the first one: `file:line`."""
    what: str = "left out"
    """What became of them."""

    def __str__(self) -> str:
        return f"{self.count:,} {self.what}: {self.reason} ({'' if self.count == 1 else 'first '}at {self.first})"


class Tally:
    """Counts by reason, in the order in which reasons came up."""

    def __init__(self, what: str = "left out") -> None:
        self._what = what
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, reason: str, place: str) -> None:
        """One more."""
        count, first = self._found.get(reason, (0, place))
        self._found[reason] = (count + 1, first)

    def counted(self) -> tuple[Excluded, ...]:
        """What was counted."""
        return tuple(Excluded(reason, *found, self._what) for reason, found in self._found.items())


def told(excluded: Iterable[Excluded]) -> str:
    """For a sentence: `3 left out: the response is empty (first at a.jsonl:7); ...`."""
    return "; ".join(map(str, excluded))
