"""The nearest spelling of an unknown word."""

import difflib
from collections.abc import Iterable


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no allowed word is near."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.55)
    return f"; did you mean '{close[0]}'?" if close else ""
