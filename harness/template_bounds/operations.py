"""Operators, formats and calls in a template that could make much, looked at before they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from types import BuiltinMethodType
from typing import Any

from harness.template_bounds.clock import TooMuch, look
from harness.template_bounds.lengths import TEXT, collected, made, too_long, weigh, written

_COUNT = 100_000
"""The largest number that may say how often or how wide."""
_BITS = 50_000
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{6,}|\{[^{}]*\d{6,}")
_WIDTH_GIVEN = re.compile(r"%[^a-zA-Z%]*\*|\{[^{}]*\{")
_HARMLESS = frozenset({"find", "rfind", "index", "rindex", "count", "startswith", "endswith", "split", "rsplit", "get"})


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Raise TooMuch where a product, a power, a sum or a format would be too large."""
    if operator == "%":
        if isinstance(left, str | bytes):
            check_format(left, right if isinstance(right, tuple) else (right,))
    elif isinstance(left, int) and isinstance(right, int):
        if operator == "**" and right > 0 and left.bit_length() * right > _BITS:
            raise TooMuch(f"it makes a number of more than {_BITS} bits")
        if operator == "*" and left.bit_length() + right.bit_length() > _BITS:
            raise TooMuch(f"it makes a number of more than {_BITS} bits")
    elif operator == "*":
        many, of = (left, right) if isinstance(left, int) else (right, left)
        if isinstance(many, int) and isinstance(of, str | bytes | Sequence) and many * len(of) > TEXT // _share(of):
            raise too_long()
    elif operator == "+" and isinstance(left, Sized) and isinstance(right, Sized) and len(left) + len(right) > TEXT:
        raise too_long()


def _share(of: Any) -> int:
    """A place in a list takes as much memory as several characters."""
    return 1 if isinstance(of, str | bytes) else 16


def check_format(text: Any, arguments: Iterable[Any]) -> None:
    """Raise TooMuch where what a format writes would be too long: of `%`, of `str.format`, of a date."""
    pattern = text if isinstance(text, str) else str(text)
    if _WIDE.search(pattern):
        raise TooMuch("a format in it has a width of more than five digits")
    given = [one for value in arguments for one in (value.values() if isinstance(value, Mapping) else (value,))]
    if _WIDTH_GIVEN.search(pattern):
        check_counts(given)
    longest = max((len(one) if isinstance(one, str) else weigh(one) for one in given), default=0)
    if (pattern.count("%") + pattern.count("{")) * longest + len(pattern) > TEXT:
        raise too_long()


def check_call(function: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments, of which one that can be read once alone is a list. Raises TooMuch where a call would make too
    much."""
    look()
    function = getattr(function, "__wrapped__", function)  # the sandbox's own `str.format`
    if function is dict:
        made([*arguments, *options.values()])
    if not isinstance(function, BuiltinMethodType):
        return arguments
    own, name = function.__self__, function.__name__
    if isinstance(own, Mapping | list | tuple | set | frozenset) or own is None or isinstance(own, type):
        return arguments
    if name == "join" and arguments and isinstance(own, str | bytes):
        members = collected(arguments[0])
        _check_join(own, members)
        return (members, *arguments[1:])
    if name in ("format", "format_map", "strftime", "__format__"):
        text, *others = (own, *arguments) if isinstance(own, str) else arguments or ("",)
        check_format(text, [*others, *options.values()])
    elif name not in _HARMLESS:
        check_counts((*arguments, *options.values()))
    if name in ("replace", "translate"):
        check_growth(own, arguments)
    return arguments


def _check_join(between: Any, members: Sequence[Any]) -> None:
    size = sum(weigh(one) for one in members) + len(between) * len(members)
    if size > TEXT:
        raise too_long()


def check_counts(arguments: Iterable[Any]) -> None:
    """Raise TooMuch where one of them is too large a number to say how often or how wide."""
    for one in arguments:
        if isinstance(one, int) and abs(one) > _COUNT:
            raise TooMuch(f"a number in it says how often or how wide, and is larger than {_COUNT}")


def check_growth(text: Any, arguments: Iterable[Any]) -> None:
    """Raise TooMuch where a text grows too long: each of its characters may be replaced by what stands among the
    arguments."""
    size = len(text) if isinstance(text, Sized) else len(str(written(text)))
    for one in arguments:
        if isinstance(one, str | bytes) and len(one) > 1 and (size + 1) * len(one) > TEXT:
            raise too_long()
        if isinstance(one, Mapping) and (size + 1) * max(map(len, map(str, one.values())), default=0) > TEXT:
            raise too_long()
