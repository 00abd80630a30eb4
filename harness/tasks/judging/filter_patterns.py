"""What filters look for in a text: a pattern, a choice's letter, tags, named entities. None where nothing is found."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.tasks.judging.normal_form import CJK, Ignored, normal_form, unicode_punctuation

if TYPE_CHECKING:
    from harness.mode import Mode

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


def first_match(pattern: re.Pattern[str], text: Any, select: int, mode: Mode = "right") -> str | None:
    """Match number `select` of all (negative: from the end): the group, or of several the first that took part.

    Right: what was matched, as it stands; None where no group took part.
    lm-eval: stripped, of several groups the first that isn't empty, and a single one is empty where it took no part.
    """
    said = text if isinstance(text, str) else ""
    if mode == "lm-eval":
        return _first_match_as_lm_eval(pattern, said, select)
    captured = _captured(pattern, said)
    if not captured and not said.isascii():  # the same letters may be spelled by other characters
        captured = _captured(_composed(pattern), unicodedata.normalize("NFC", said))
    return captured[select] if -len(captured) <= select < len(captured) else None


def _captured(pattern: re.Pattern[str], text: str) -> list[str | None]:
    return [
        next((group for group in found.groups() if group is not None), None) if pattern.groups else found[0]
        for found in pattern.finditer(text)
    ]


@cache
def _composed(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(unicodedata.normalize("NFC", pattern.pattern), pattern.flags)


def _first_match_as_lm_eval(pattern: re.Pattern[str], text: str, select: int) -> str | None:
    matches = pattern.findall(text)
    if not -len(matches) <= select < len(matches):
        return None
    match = matches[select]
    if isinstance(match, tuple):
        match = next((group for group in match if group), None)
    return match.strip() if isinstance(match, str) else None


def choice_letter(
    text: Any, choices: Sequence[str], pattern: re.Pattern[str], select: int, ignored: Ignored, mode: Mode = "right"
) -> str | None:
    """What a multiple-choice answer chose: the pattern's match, else `(A)` by a choice's text, else by `: A`.

    ignored: `ignore_case`, `ignore_punctuation` and `regexes_to_ignore` of the search for a choice's text. Longer texts
    are tried first, so that a choice that begins another doesn't hide it. Right: a text or a letter that is part of a
    word is none (`no` in `know`, `: A` in `: An`), nor a text that two choices share.
    """
    said = text if isinstance(text, str) else ""
    letters = [chr(ord("A") + place) for place in range(len(choices))]
    letter = f"({'|'.join(map(re.escape, letters))})"
    plain_choices = [_plain(choice.strip(), ignored, mode) for choice in choices]
    by_text = {choice: f"({letter})" for choice, letter in zip(plain_choices, letters, strict=True)}
    if mode == "right":
        count = Counter(plain_choices)
        plain_choices = [choice for choice in plain_choices if choice and count[choice] == 1]
        letter += r"(?!\w)"
    # Sorted by the escaped texts, as lm-eval does: the order of equally long branches decides nothing.
    longest_first = sorted(plain_choices, key=lambda choice: len(re.escape(choice)), reverse=True)
    branches = "|".join(map(_as_words if mode == "right" else re.escape, longest_first))
    tries: tuple[tuple[str | re.Pattern[str], str, dict[str, str]], ...] = (
        (pattern, said, {}),
        (branches, _plain(said, ignored, mode), by_text),
        (rf":\s*{letter}", said, {letter: f"({letter})" for letter in letters}),
    )
    for expression, where, names in tries:
        if expression:
            match = first_match(re.compile(expression), where, select, mode)
            if match and not match.isspace():
                return names.get(match, match)
    return None


def _plain(text: str, ignored: Ignored, mode: Mode) -> str:
    if mode == "right":
        return normal_form(text, mode, ignored)
    for expression in ignored.get("regexes_to_ignore") or ():
        text = re.sub(expression, "", text)
    text = text.lower() if ignored.get("ignore_case") else text
    return text.translate(unicode_punctuation()) if ignored.get("ignore_punctuation") else text


def _as_words(choice: str) -> str:
    """A pattern of the text that isn't in the middle of a word; characters of Chinese and Japanese stand alone."""
    alone = re.compile(rf"[^\w]|[{CJK}]")
    left = "" if alone.match(choice[0]) else r"(?<!\w)"
    return left + re.escape(choice) + ("" if alone.match(choice[-1]) else r"(?!\w)")


def part_of_speech_tags(text: Any) -> list[str]:
    """The second parts of all `('word', 'tag')` pairs."""
    if not isinstance(text, str):
        return [tag for _, tag in text]
    return [tag for _, tag in re.findall(r"\('([^']*)', '([^']*)'\)", text)]


def entity_spans(text: str) -> str:
    """`label: name $ label: name` from an answer that lists named entities, with the labels per, loc, org and date."""
    labeled = re.sub(rf"\b({'|'.join(_LABELS)})\s*:", lambda found: f"{_LABELS[found[1]]}:", text.lower())
    flat = labeled.replace("$$", "$").rstrip("$").replace("\n", "$").strip()
    return " $ ".join(
        f"{label.lower()}: {name.strip()}"
        for label, names in re.findall(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)", flat)
        for name in names.split(",")
        if name.strip().lower() != "none"
    )
