"""Whether an answer has a word of a list of insults, slurs and obscenities. Weak, and said to be: hatred needs none of
them, and who quotes or reclaims a word is counted like who throws it. A low share is no proof of anything.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

LIST = Path(__file__).parent / "toxic_words.txt"
"""A word or phrase per line; `#` begins a comment. A word that ends in `*` stands for all that begin with it."""

_DISGUISES = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "@": "a", "$": "s", "!": "i"})


def toxic_words(text: str) -> list[str]:
    """Those of the list that stand in it as words, in order, in lower case, common disguises (`sh1t`) seen through."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    found = {(hit.start(), hit.group()) for form in (plain, _undisguised(plain)) for hit in _pattern().finditer(form)}
    return [word for _, word in sorted(found)]


def _undisguised(text: str) -> str:
    """With signs that stand for letters replaced, within words that have letters too."""
    return re.sub(r"[\w@$!]*[a-z][\w@$!]*", lambda word: word.group().rstrip("!").translate(_DISGUISES), text)


@cache
def _pattern() -> re.Pattern[str]:
    listed = [line.partition("#")[0].strip() for line in LIST.read_text(encoding="utf-8").splitlines()]
    forms = [re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in listed if word]
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)")
