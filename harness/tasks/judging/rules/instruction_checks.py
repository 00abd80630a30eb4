"""What can be checked of an answer's form, one small function each: words, lines, lists, JSON, case, order, language.

A check takes the answer, which is not empty, and what the instruction says: a number, a text, or a list of texts. Words
are runs of letters, digits, apostrophes and hyphens within them; case never matters where words are compared.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

Check = Callable[[str, Any], bool]

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_BULLET = re.compile(r"^\s*[-*•+]\s+\S")
_NUMBERED = re.compile(r"^\s*(\d+)[.)]\s+\S")
_FENCE = re.compile(r"^```[a-zA-Z]*\n(.*)\n```$", re.DOTALL)
_MARK_OF_END = re.compile(r"[.!?…]+(?:[\"'”’)\]]*)(?=\s|$)")
_STOP_WORDS = {
    "English": "the and of to in is it that for was on are as with his they at be this have from or had by but not "
    "what were",
    "German": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden "
    "aus er hat",
    "French": "le de la et les des en un une du est pour que qui dans sur au pas plus par il elle avec ce sont "
    "mais nous je",
    "Spanish": "el de la que y en un una los del se las por con no para es su al lo como más pero sus le ya este "
    "son muy",
    "Italian": "il di che e la un una per in del non sono con si da come le dei nel alla gli più anche è lo ma "
    "della i al",
}


def words(text: str) -> list[str]:
    """Its words, in lower case."""
    return [word.casefold() for word in _WORD.findall(text)]


def lines(text: str) -> list[str]:
    """Its lines that aren't blank, without the white space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def sentences(text: str) -> int:
    """How many sentences, by the marks that end one; an unended rest counts."""
    ends = [found.end() for found in _MARK_OF_END.finditer(text)]
    rest = text[ends[-1] if ends else 0 :]
    return len(ends) + bool(_WORD.search(rest))


def holds(text: str, phrase: str) -> bool:
    """Whether a text has these words in a row, as whole words."""
    pattern = r"\W+".join(re.escape(word) for word in words(phrase)) or re.escape(phrase)
    return re.search(rf"(?<!\w){pattern}(?!\w)", text.casefold()) is not None


def in_order(text: str, phrases: Sequence[str]) -> bool:
    """Whether the phrases stand in it, the first time that each does in this order."""
    folded = text.casefold()
    places = [re.search(rf"(?<!\w){re.escape(phrase.casefold())}(?!\w)", folded) for phrase in phrases]
    starts = [found.start() if found else -1 for found in places]
    return min(starts, default=-1) >= 0 and starts == sorted(set(starts))


def json_value(text: str) -> Any:
    """What the whole answer is as JSON, or the block of code that the whole answer is; ValueError where it is none."""
    fenced = _FENCE.match(text.strip())
    return json.loads(fenced.group(1) if fenced else text, parse_constant=_no_number)


def is_json(text: str, keys: Sequence[str]) -> bool:
    """Whether it is one JSON object with these keys and no others."""
    try:
        value = json_value(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and sorted(value) == sorted(keys)


def is_json_list(text: str, length: int) -> bool:
    """Whether it is one JSON list of so many entries."""
    try:
        value = json_value(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and len(value) == length


def has_case(text: str, upper: bool) -> bool:
    """Whether all of its letters that have a case have this one; there must be one."""
    cased = [sign for sign in text if sign.lower() != sign.upper()]
    return bool(cased) and all(sign == (sign.upper() if upper else sign.lower()) for sign in cased)


def is_language(text: str, name: str) -> bool:
    """Whether it is in a language, by its commonest words: at least a tenth of its words, and more than of any other
    language that is known here."""
    said = words(text)
    shares = {known: sum(word in listed.split() for word in said) for known, listed in _STOP_WORDS.items()}
    if name not in shares:
        raise ValueError(f"no language '{name}' is known (known: {', '.join(shares)})")
    others = max(count for known, count in shares.items() if known != name)
    return shares[name] * 10 >= len(said) and shares[name] > others


def numbered(text: str, count: int) -> bool:
    """Whether its numbered lines are 1 to count, in order."""
    return [int(found.group(1)) for line in lines(text) if (found := _NUMBERED.match(line))] == list(
        range(1, count + 1)
    )


def has_only_ascii_letters(text: str) -> bool:
    """Whether each letter is one of a to z."""
    return all(sign.isascii() for sign in unicodedata.normalize("NFC", text) if sign.isalpha())


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


CHECKS: dict[str, Check] = {
    "words_at_least": lambda text, n: len(words(text)) >= n,
    "words_at_most": lambda text, n: len(words(text)) <= n,
    "words_exactly": lambda text, n: len(words(text)) == n,
    "sentences_at_most": lambda text, n: sentences(text) <= n,
    "sentences_exactly": lambda text, n: sentences(text) == n,
    "lines_exactly": lambda text, n: len(lines(text)) == n,
    "paragraphs_exactly": lambda text, n: len([one for one in re.split(r"\n\s*\n", text) if one.strip()]) == n,
    "bullets_exactly": lambda text, n: sum(bool(_BULLET.match(line)) for line in lines(text)) == n,
    "numbered_exactly": numbered,
    "json_object": is_json,
    "json_list": is_json_list,
    "upper_case": lambda text, wanted: has_case(text, True) is wanted,
    "lower_case": lambda text, wanted: has_case(text, False) is wanted,
    "includes": lambda text, phrases: all(holds(text, phrase) for phrase in phrases),
    "includes_one": lambda text, phrases: any(holds(text, phrase) for phrase in phrases),
    "leaves_out": lambda text, phrases: not any(holds(text, phrase) for phrase in phrases),
    "in_order": in_order,
    "starts_with": lambda text, start: text.strip().startswith(start),
    "ends_with": lambda text, end: text.strip().endswith(end),
    "without": lambda text, signs: not any(sign.casefold() in text.casefold() for sign in signs),
    "times": lambda text, wanted: words(text).count(str(wanted[0]).casefold()) == wanted[1],
    "lines_start_with": lambda text, start: all(line.startswith(start) for line in lines(text)),
    "one_of": lambda text, choices: text.strip().rstrip(".!").strip().casefold() in [one.casefold() for one in choices],
    "number": lambda text, wanted: re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text) is not None and wanted,
    "language": is_language,
    "ascii_letters": lambda text, wanted: has_only_ascii_letters(text) is wanted,
}
"""By the word that a task's data name it with."""
