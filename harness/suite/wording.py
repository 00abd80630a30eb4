"""What is wrong with one value of a suite, in a suite's own words: nothing of the library that found it comes through.

Each type of error of pydantic has its own words here; types of our own come with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from harness.errors import shown
from harness.spelling import nearest
from harness.suite.other_words import meant
from harness.yaml_files.document import KeyPath

OF_PYDANTIC = frozenset(get_args(ErrorType))
"""Every other type of an error is one of ours, which has its sentence."""

_PATTERNS = {
    "date": "should be a day, written as 2026-01-31",
    "call": "should name a function as module:function, such as mypackage.fast:decode",
    "setup": "should name a function as module:function, such as mypackage.fast:prepare",
}
"""By key, where a text has a form of its own; of names it is `_NAME`."""
_NAME = "may have only letters, digits, dots, dashes and underscores, and begins with a letter or digit"
_POWERS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)\s*(%|[kmbgt]?)", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d)[, _'\u00a0\u2009\u202f](?=\d{3}(?!\d))")


def what(detail: ErrorDetails, path: KeyPath) -> str:
    """What is wrong, without the place: `should be a whole number, not the text 'lots'`. path: of it in the suite."""
    kind = detail["type"]
    if kind not in OF_PYDANTIC or kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    given, context = detail["input"], {**(detail.get("ctx") or {}), "within": path[0] if path else ""}
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    say = _WORDS.get(kind)
    return f"this value can't be read here, {written(given)}" if say is None else say(given, context, key)


def written(value: object) -> str:
    """A value as a person wrote it: `the text 'a'`, `3`, `nothing`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text '{shown(value)}'" if value.strip() else "an empty text"
    if isinstance(value, list | tuple | set):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        few = ", ".join(shown(key, 20) for key in list(value)[:3])
        return f"keys with values ({few}{', …' if len(value) > 3 else ''})" if value else "an empty `{}`"
    if isinstance(value, float) and value != value:
        return ".nan"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return shown(value)
    if hasattr(value, "isoformat"):
        return f"the date {value.isoformat()} (put it in quotes if it is text)"
    return "something else"


def number_meant(text: object) -> int | float | None:
    """The number that `1e6`, `1,000`, `4k` or `5%` stands for; None where it is none."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    found = _NUMBER.fullmatch(_THOUSANDS.sub("", text.strip().strip("\"'“”‘’")))
    if found is None:
        return None
    digits, unit = found.groups()
    value = float(digits) / 100 if unit == "%" else float(digits) * _POWERS[unit.lower()]
    value = float(f"{value:.12g}")
    return int(value) if value.is_integer() and abs(value) < 1e18 else value


def _kind(plain: str) -> Callable[[Any, Mapping[str, Any], str], str]:
    """Words for a value of the wrong kind."""

    def say(given: Any, context: Mapping[str, Any], key: str) -> str:
        return f"should be {plain}, not {written(given)}"

    return say


def _whole_number(given: Any, context: Mapping[str, Any], key: str) -> str:
    value = number_meant(given)
    fix = f": write {value}" if isinstance(value, int) else ""
    return f"should be a whole number, not {written(given)}{fix}"


def _number(given: Any, context: Mapping[str, Any], key: str) -> str:
    value = number_meant(given)
    fix = "" if value is None else f": write {value}"
    return f"should be a number, not {written(given)}{fix}"


def _yes_or_no(given: Any, context: Mapping[str, Any], key: str) -> str:
    near = nearest(given.lower(), ("true", "false", "yes", "no", "on", "off")) if isinstance(given, str) else ""
    return f"should be true or false, not {written(given)}{near}"


def _text(given: Any, context: Mapping[str, Any], key: str) -> str:
    quoted = f": put it in quotes, '{shown(given, 40)}'" if isinstance(given, int | float) else ""
    one = ": keep one" if isinstance(given, list) else ""
    return f"should be text, not {written(given)}{quoted}{one}"


def _list(given: Any, context: Mapping[str, Any], key: str) -> str:
    if isinstance(given, dict):
        return f"should be a list, and holds {written(given)}: put `- ` before each entry"
    return f"should be a list, not {written(given)}: put each entry in a line that begins with `- `, or in [ ]"


def _mapping(given: Any, context: Mapping[str, Any], key: str) -> str:
    if isinstance(given, list) and key == "models":
        return "should hold a name before each model (`nano: {reference: nano}`), not a list: give each entry a name"
    if isinstance(given, list):
        return "should be keys with values (`key: value`), not a list: take away the `- `, or the [ ]"
    if given is None:
        return "nothing stands behind it, and it holds keys with values (`key: value`): indent them below, or remove it"
    example = _ALONE.get(str(context["within"])) if isinstance(given, str) and len(given) < 80 else None
    such = f": write it as {example.format(key=key, given=given)}" if example else ""
    return f"should be keys with values (`key: value`), not {written(given)}{such}"


_ALONE = {
    "models": "`{key}: {{transformers: {given}}}`",
    "measures": "`{given}: {{...}}`",
    "analyse": "`{given}: {{...}}`",
}
"""What a word that stands alone is a part of, by the part of the suite."""


def _allowed(given: Any, context: Mapping[str, Any], key: str) -> str:
    allowed = re.findall(r"'([^']*)'", str(context["expected"]))
    word = meant(key, given)
    hint = nearest(str(given)[:200].lower(), allowed) if word is None else f"; write {word}" if word else ""
    if isinstance(given, str) and given.lower() in allowed:
        hint = f"; write {given.lower()}"
    plain = f"'{shown(given)}'" if isinstance(given, str) else written(given)
    return f"{plain} is not allowed{hint}; allowed: {', '.join(allowed)}"


def _bound(word: str, name: str) -> Callable[[Any, Mapping[str, Any], str], str]:
    """Words for a number beyond a bound."""

    def say(given: Any, context: Mapping[str, Any], key: str) -> str:
        bound = context[name]
        whole = int(bound) if isinstance(bound, float) and bound.is_integer() and abs(bound) < 1e6 else bound
        told = f"{whole:,}" if isinstance(whole, int) and whole > 9_999 else whole
        return f"should be {word} {told} (it is {written(given)})"

    return say


def _length(word: str, name: str, of: str) -> Callable[[Any, Mapping[str, Any], str], str]:
    """Words for a text or a list that is too long or too short."""

    def say(given: Any, context: Mapping[str, Any], key: str) -> str:
        bound = context[name]
        if word == "at least" and bound == 1 and not given:
            return (
                "should not be empty"
                if of == "character"
                else "this list is empty; put something into it, or remove it"
            )
        has = f" (it has {len(given):,})" if hasattr(given, "__len__") else ""
        return f"should have {word} {bound:,} {of if bound == 1 else plural[of]}{has}"

    plural = {"character": "characters", "entry": "entries"}
    return say


def _pattern(given: Any, context: Mapping[str, Any], key: str) -> str:
    return f"'{shown(given)}' {_NAME}" if key not in _PATTERNS else f"{_PATTERNS[key]}, not {written(given)}"


def _required(given: Any, context: Mapping[str, Any], key: str) -> str:
    return "this key is required and missing"


_WORDS: Mapping[str, Callable[[Any, Mapping[str, Any], str], str]] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _whole_number),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), _number),
    **dict.fromkeys(("bool_type", "bool_parsing"), _yes_or_no),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode", "bytes_type"), _text),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), _list),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), _mapping),
    **dict.fromkeys(("literal_error", "enum"), _allowed),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), _kind("a day, written as 2026-01-31")),
    "none_required": _kind("left out"),
    "finite_number": _kind("a finite number"),
    "greater_than": _bound("greater than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "multiple_of": _bound("a multiple of", "multiple_of"),
    "too_short": _length("at least", "min_length", "entry"),
    "too_long": _length("at most", "max_length", "entry"),
    "string_too_short": _length("at least", "min_length", "character"),
    "string_too_long": _length("at most", "max_length", "character"),
    "string_pattern_mismatch": _pattern,
    "missing": _required,
}
