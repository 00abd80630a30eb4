"""How far two sequences begin alike: tokens of two prompts, characters of two texts, parts of two paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many elements both begin with. Both are texts, or tuples, or lists: their slices are compared."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # by halves: comparing slices is quick, comparing elements one by one isn't
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
