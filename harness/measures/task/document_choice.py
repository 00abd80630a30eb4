"""Which documents of a task are asked: all, so many, a share of them, or those whose numbers are given."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from harness.errors import UserError
from harness.measures.evenly_spaced import evenly_spaced
from harness.mode import Mode

_ONE = re.compile(r"\s*(\d{1,15})\s*(?:-\s*(\d{1,15})\s*)?")


def numbers(text: str) -> tuple[range, ...]:
    """The ranges of `3, 7, 10-12`. Raises ValueError for what is no such list."""
    found = []
    for part in text.split(","):
        read = _ONE.fullmatch(part)
        if read is None or (read[2] is not None and int(read[2]) < int(read[1])):
            shown = text if len(text) <= 80 else f"{text[:80]}…"
            raise ValueError(f"`{shown}` is not a list of documents: write numbers and ranges, such as '3, 7, 10-19'")
        found.append(range(int(read[1]), int(read[2] or read[1]) + 1))
    return tuple(found)


def chosen(size: int, count: int | float | None, ids: str | None, mode: Mode, place: str) -> list[int]:
    """The places of the documents that are asked, out of `size`.

    count: so many, or below 1 a share of them, rounded up; evenly spaced, in mode lm-eval the first ones.
    ids: see `numbers`. Raises UserError for a document that there is not.
    """
    if ids is not None:
        ranges = numbers(ids)
        last = max(one.stop for one in ranges) - 1
        if last >= size:
            raise UserError(
                f"there is no document {last}: the task has {size:,} (0 to {size - 1}); lower `document_ids`",
                place=place,
            )
        return sorted({number for one in ranges for number in one})
    if count is None:
        return list(range(size))
    if count < 1:
        # lm-eval multiplies floats: a tenth of 30 is 4 documents there
        count = math.ceil(size * count) if mode == "lm-eval" else math.ceil(size * Fraction(str(count)))
    count = min(int(count), size)
    return list(range(count)) if mode == "lm-eval" else evenly_spaced(range(size), count)
