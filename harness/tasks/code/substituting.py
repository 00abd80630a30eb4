"""`re.sub` whose result may be so long and no longer: a long text in place of each letter of another fills memory."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

_REFERENCE = re.compile(r"\\(?:g<(\w+)>|([1-9]\d?))")


def substituted_within(most: int, pattern: str, replacement: str, text: str, count: int) -> str | None:
    """What `re.sub` makes; None where it is longer than `most` characters, as is seen before it is made. Raises
    re.error for a pattern, or a replacement, that is none."""
    if "\\" in replacement or len(text) + (len(text) + 1) * len(replacement) > most:
        re.sub(pattern, replacement, "")  # says what is wrong in them
        if _is_longer(most, re.compile(pattern), replacement, text, count):
            return None
    return re.sub(pattern, replacement, text, count=count)


def _is_longer(most: int, compiled: re.Pattern[str], replacement: str, text: str, count: int) -> bool:
    """Whether the result has more characters; escapes count as they are written."""
    numbers = Counter(
        number
        for found in _REFERENCE.finditer(replacement)
        if (number := _group(found[1] or found[2], compiled)) is not None
    )
    written = len(_REFERENCE.sub("", replacement))
    size = end = 0
    for match in islice(compiled.finditer(text), count or None):
        size += match.start() - end + written + sum(many * len(match[number] or "") for number, many in numbers.items())
        end = match.end()
        if size > most:
            return True
    return size + len(text) - end > most


def _group(name: str, compiled: re.Pattern[str]) -> int | None:
    """The number of a group that a replacement names; None where there is none, which `re.sub` says."""
    number = int(name) if name.isdecimal() else compiled.groupindex.get(name)
    return number if number is not None and number <= compiled.groups else None
