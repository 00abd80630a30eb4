"""Each distinct thing once: rows then name it by its number."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Numbering(Generic[Thing]):
    """Numbers things as they come."""

    def __init__(self) -> None:
        self._numbers: dict[Thing, int] = {}

    def __call__(self, thing: Thing) -> int:
        """The number of a thing, a new one where it has none."""
        return self._numbers.setdefault(thing, len(self._numbers))

    @property
    def things(self) -> list[Thing]:
        """All of them, in the order of their numbers."""
        return list(self._numbers)
