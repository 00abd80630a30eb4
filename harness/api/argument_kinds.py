"""Arguments of the functions of `harness` that are of a wrong kind, told before anything is done with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from os import PathLike
from typing import Any, ParamSpec, TypeVar

from harness.errors import WrongArgument, shown

P = ParamSpec("P")
R = TypeVar("R")

_PATH = ((str, PathLike), "a path")
_WHOLE = (Integral, "a whole number")
_FUNCTION = (Callable, "a function, such as print")
_KINDS: Mapping[str, tuple[Any, str]] = {
    "settings": (Mapping, "a mapping, such as {'revision': 'v2'}"),
    "generation": (Mapping, "a mapping, such as {'max_tokens': 64}"),
    "metadata": (Mapping, "a mapping of arguments to their values"),
    "data": (Mapping, "a mapping, such as {'ai2_arc': 'arc.jsonl'}"),
    "chat_template_args": (Mapping, "a mapping, such as {'enable_thinking': False}"),
    "out": _PATH,
    "save_suite": _PATH,
    "on_event": _FUNCTION,
    "tell": _FUNCTION,
    "limit": (Real, "a number"),
    "prompt": _WHOLE,
    "new": _WHOLE,
    "launches": _WHOLE,
}
"""By argument what it has to be, where the suite that a call stands for doesn't check it itself."""


def kinds_checked(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which raises WrongArgument for an argument of another kind than it takes; None is left to the
    function."""
    signature = inspect.signature(function)

    @wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> R:
        for name, value in signature.bind(*args, **given).arguments.items():
            kind, words = _KINDS.get(name, (object, ""))
            if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not object)):
                raise WrongArgument(f"should be {words}, not {told_value(value)}", place=name)
        return function(*args, **given)

    return checked


def texts_of(value: str | Sequence[str], name: str) -> list[str]:
    """One text, or several, as a list. Raises WrongArgument for what is neither."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, bytes) or not isinstance(texts, Sequence):
        raise WrongArgument(f"should be a text, or a list of texts, not {told_value(value)}", place=name)
    for one in texts:
        if not isinstance(one, str):
            raise WrongArgument(f"should be a text, or a list of texts; {told_value(one)} is none", place=name)
    return list(texts)


def told_value(value: object) -> str:
    """A value as a sentence quotes it: `the text '10'`, `3`, `None`."""
    if value is None:
        return "None"
    return f"the text '{shown(value)}'" if isinstance(value, str) else shown(repr(value).partition("\n")[0])
