"""So many of a number of things, spread over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly_spaced(things: Sequence[T], count: int | None) -> list[T]:
    """`count` of them, at i · len(things) // count, i = 0 … count - 1; all if there are fewer, or without a count."""
    if count is None or count >= len(things):
        return list(things)
    return [things[i * len(things) // count] for i in range(count)]
