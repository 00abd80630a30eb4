"""The nearest spelling of an unknown word."""

import difflib
from collections.abc import Iterable
from itertools import islice

_LONGEST, _MOST = 200, 10_000
"""Characters of a word, and words: beyond that looking takes longer than it helps."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no allowed word is near."""
    if len(word) > _LONGEST:
        return ""
    close = difflib.get_close_matches(word, list(islice(allowed, _MOST)), n=1, cutoff=0.55)
    return f"; did you mean '{close[0]}'?" if close else ""
