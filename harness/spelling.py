"""The nearest spelling of an unknown word."""

import difflib
from collections.abc import Iterable
from itertools import islice

_LONGEST, _MOST = 200, 10_000
"""Characters of a word, and words: beyond that looking takes longer than it helps."""
_NEAR = 0.55
"""Of two words' letters, those that they share in order: 1 is the same word."""
_FAR = 0.5
"""Of words that are shown beside others."""


def nearest_word(word: str, allowed: Iterable[str], near: float = _NEAR) -> str | None:
    """The allowed word that is nearest; None where none is near, or nothing is wrong with the word. near: the part of
    two words' letters, in order, that they have to share."""
    if len(word) > _LONGEST:
        return None
    words = list(islice(allowed, _MOST))
    if word not in words and (same := [one for one in words if one.casefold() == word.casefold()]):
        return same[0]
    close = difflib.get_close_matches(word, words, n=1, cutoff=near)
    return close[0] if close and close[0] != word else None


def nearest_words(word: str, allowed: Iterable[str], most: int = 5) -> list[str]:
    """The allowed words that are nearest, the nearest first; of a longer name, those that have the word in them too."""
    if len(word) > _LONGEST:
        return []
    words = list(islice(allowed, _MOST))
    close = difflib.get_close_matches(word, words, n=most, cutoff=_FAR)
    within = [one for one in words if len(word) > 2 and word.lower() in one.lower()]
    return list(dict.fromkeys([*close[:1], *within, *close]))[:most]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no allowed word is near."""
    near = nearest_word(word, allowed)
    return "" if near is None else f"; did you mean '{near}'?"


def nearest_aside(word: str, allowed: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, within a sentence that goes on."""
    near = nearest_word(word, allowed)
    return "" if near is None else f" (did you mean '{near}'?)"


def quotes_in(word: str) -> str:
    """What is said of a word that typographic quotes are a part of; nothing of others."""
    if word[:1] not in "“”„‟‘’‚«»‹›" or not word:
        return ""
    return "; its typographic quotes are a part of it: write straight quotes, or none"
