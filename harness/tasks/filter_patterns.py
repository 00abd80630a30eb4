"""What filters look for in a text: a pattern, a choice's letter, tags, named entities. None where nothing is found."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

_LABELS = {
    "person": "PER",
    "location": "LOC",
    "organization": "ORG",
    "counties": "LOC",
    "places": "LOC",
    "people": "PER",
    "persons": "PER",
    "company": "ORG",
    "country": "LOC",
    "continent": "LOC",
    "time": "DATE",
    "date": "DATE",
    "per": "PER",
    "loc": "LOC",
    "org": "ORG",
}


def first_match(pattern: re.Pattern[str], text: Any, select: int) -> str | None:
    """Match number `select` of all (negative: from the end), stripped; of several groups the first that isn't empty."""
    matches = pattern.findall(text if isinstance(text, str) else "")
    if not -len(matches) <= select < len(matches):
        return None
    match = matches[select]
    if isinstance(match, tuple):
        match = next((group for group in match if group), None)
    return match.strip() if isinstance(match, str) else None


def choice_letter(
    text: Any,
    choices: Sequence[str],
    pattern: re.Pattern[str],
    select: int,
    ignore_case: bool,
    ignore_punctuation: bool,
    regexes_to_ignore: Sequence[str],
) -> str | None:
    """What a multiple-choice answer chose: the pattern's match, else `(A)` by a choice's text, else by `: A`.

    The ignore arguments apply to the search for a choice's text. Longer texts are tried first, so that a choice that
    begins another doesn't hide it.
    """
    said = text if isinstance(text, str) else ""

    def plain(part: str) -> str:
        for expression in regexes_to_ignore:
            part = re.sub(expression, "", part)
        part = part.lower() if ignore_case else part
        return part.translate(_punctuation()) if ignore_punctuation else part

    letters = [chr(ord("A") + place) for place in range(len(choices))]
    plain_choices = [plain(choice.strip()) for choice in choices]
    by_text = {choice: f"({letter})" for choice, letter in zip(plain_choices, letters, strict=True)}
    # Sorted by the escaped texts, as lm-eval does: the order of equally long branches decides nothing.
    branches = "|".join(sorted((re.escape(choice) for choice in plain_choices), key=len, reverse=True))
    tries: tuple[tuple[re.Pattern[str], str, dict[str, str]], ...] = (
        (pattern, said, {}),
        (re.compile(branches), plain(said), by_text),
        (re.compile(rf":[\s]*({'|'.join(letters)})"), said, {letter: f"({letter})" for letter in letters}),
    )
    for expression, where, names in tries:
        match = first_match(expression, where, select)
        if match:
            return names.get(match, match)
    return None


def part_of_speech_tags(text: Any) -> list[str]:
    """The second parts of all `('word', 'tag')` pairs."""
    if not isinstance(text, str):
        return [tag for _, tag in text]
    return [tag for _, tag in re.findall(r"\('([^']*)', '([^']*)'\)", text)]


def entity_spans(text: str) -> str:
    """`label: name $ label: name` from an answer that lists named entities, with the labels per, loc, org and date."""
    labelled = re.sub(rf"\b({'|'.join(_LABELS)})\s*:", lambda found: f"{_LABELS[found[1]]}:", text.lower())
    flat = labelled.replace("$$", "$").rstrip("$").replace("\n", "$").strip()
    return " $ ".join(
        f"{label.lower()}: {name.strip()}"
        for label, names in re.findall(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)", flat)
        for name in names.split(",")
        if name.strip().lower() != "none"
    )


@cache
def _punctuation() -> dict[int, None]:
    """str.translate table that drops what Unicode calls punctuation."""
    return {code: None for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")}
