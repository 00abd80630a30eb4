"""The form in which texts are compared: one function that every comparison of answers uses.

What a tokenizer puts before a word, and how a file composes an accent, are no part of an answer. So in mode right the
ends are stripped, characters are composed (Unicode's NFC) and line ends are `\\n`; what a task says that it ignores
goes by Unicode too. Mode lm-eval compares characters as they stand and ignores what is in ASCII, as lm-evaluation-
harness 0.4.13 does.
"""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections.abc import Hashable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.tasks.judging.pattern_time import limited
from harness.tasks.judging.read_number import read_number

if TYPE_CHECKING:
    from harness.mode import Mode

Ignored = Mapping[str, Any]
"""Options of a metric that compares texts: `regexes_to_ignore`, `ignore_case`, `ignore_punctuation`, `ignore_numbers`,
and ours `numbers`: answers that are numbers are compared by their value."""

NOTHING: Ignored = MappingProxyType({})

CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016ff0-\U00016ff1\U00020000-\U0003ffff"
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # hiragana, katakana
    "\u3105-\u312f\u31a0-\u31bf"  # bopomofo
)
"""Of a regular expression's class: the characters of scripts that put no blanks between words, each a unit."""

_INVISIBLE = "\u200b\u200e\u200f\u061c\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Zero-width space, word joiner, byte order mark, marks of writing direction. Joiners stay: they change letters."""
_PATTERNS = "regexes_to_ignore"
_ENDS = "".join(character for character in map(chr, range(0x3001)) if character.isspace()) + _INVISIBLE
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ASCII_DIGITS = str.maketrans("", "", string.digits)


def normal_form(text: str, mode: Mode = "right", ignored: Ignored = NOTHING) -> str:
    """What is compared of a text.

    Right: NFC, line ends, stripped; then without the patterns, casefolded, without punctuation (Unicode's P and ASCII's
    signs, as MLQA's scorer), without decimal digits of any script; where a mark or digits may have left a gap, white
    space is one blank. What would leave nothing of the text is not ignored: `?` and `!` are not the same answer.
    lm-eval: its order, its ASCII tables, nothing stripped.
    """
    if mode == "lm-eval":
        return _as_lm_eval(text, ignored)
    found = _without_patterns(text, ignored)
    if ignored.get("ignore_case"):
        found = stripped(unicodedata.normalize("NFD", found).casefold())
    less = found
    if ignored.get("ignore_punctuation"):
        less = less.translate(unicode_punctuation()).translate(_ASCII_PUNCTUATION)
    if ignored.get("ignore_numbers"):
        less = "".join(character for character in less if not character.isdecimal())
    if ignored.get("ignore_punctuation") or ignored.get("ignore_numbers"):
        less = stripped(" ".join(less.split()))
    return less or found


def comparable(value: Any, mode: Mode = "right", ignored: Ignored = NOTHING) -> Hashable:
    """What two answers, or an answer and a target, share where they count as the same: equal and hashable.

    A text's number where the task declares `numbers` and the text is one, else its normal form; of a list each entry's.
    """
    if isinstance(value, list | tuple):
        return tuple(comparable(entry, mode, ignored) for entry in value)
    if value is None:
        return None
    text = written(value, mode)
    if mode == "right" and ignored.get("numbers"):
        for read in (_without_patterns(text, ignored), normal_form(text, mode, ignored)):  # `3.5` before `(5)`
            number = read_number(read)
            if number is not None:
                return number
    return normal_form(text, mode, ignored)


def written(value: Any, mode: Mode = "right") -> str:
    """A value as a text. Of a whole number that a filter or a function gives as a float, in mode right without `.0`."""
    return str(int(value)) if mode == "right" and isinstance(value, float) and value.is_integer() else str(value)


def stripped(text: str) -> str:
    """NFC, `\\n` at the end of lines, without white space and invisible marks at its ends."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip(_ENDS)


@cache
def unicode_punctuation() -> dict[int, None]:
    """str.translate table that drops what Unicode calls punctuation: the categories P."""
    return {code: None for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")}


def _without_patterns(text: str, ignored: Ignored) -> str:
    found = stripped(text)
    patterns = ignored.get(_PATTERNS) or ()
    if not patterns:
        return found
    with limited(_PATTERNS):
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            found = stripped(re.sub(unicodedata.normalize("NFC", pattern), "", found)) or found
    return found


def _as_lm_eval(text: str, ignored: Ignored) -> str:
    if patterns := ignored.get(_PATTERNS):
        with limited(_PATTERNS):
            for pattern in patterns:
                text = re.sub(pattern, "", text)
    if ignored.get("ignore_case"):
        text = text.lower()[: len(text)]  # numpy keeps the length, which the lower case of İ exceeds
    if ignored.get("ignore_punctuation"):
        text = text.translate(_ASCII_PUNCTUATION)
    if ignored.get("ignore_numbers"):
        text = text.translate(_ASCII_DIGITS)
    return text
