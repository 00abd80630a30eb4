"""Arguments of the functions of `harness` that are of a wrong kind, told before anything is done with them.

The kinds are the functions' own annotations; what an annotation names that is imported for type checkers alone is taken
as it comes, and the function checks it.
"""

from __future__ import annotations

import builtins
import inspect
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import cache
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from harness.errors import WrongArgument, printable, shown
from harness.input_file import why_no_path

_EXAMPLES: Mapping[str, str] = {
    "settings": "{'revision': 'v2'}",
    "generation": "{'max_tokens': 64}",
    "metadata": "{'dataset_path': 'json'}",
    "data": "{'ai2_arc': 'arc.jsonl'}",
    "chat_template_args": "{'enable_thinking': False}",
    "columns": "{'parameters': 'N'}",
    "units": "{'tokens': 1e9}",
    "document_ids": "{'arc_easy': '3, 7, 10-19'}",
    "where": "'precision=int8'",
}
"""By argument a mapping, or a text, that it takes."""


def check_kinds(arguments: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Raises WrongArgument for the first argument that is of another kind than declared. kinds: by argument; of
    `*arguments` and `**settings` each one's."""
    for name, value in arguments.items():
        kind = kinds.get(name, Any)
        if not _fits(value, kind):
            raise WrongArgument(f"should be {_words(kind, name)}, not {told_value(value)}", place=name)
        if kind is not Any and isinstance(value, str) and Path not in get_args(kind):
            whole_text(value, name)
        if isinstance(value, str | PathLike) and Path in (kind, *get_args(kind)):
            text = str(value)
            if ("\0" in text or printable(text) != text) and (why := why_no_path(text)) is not None:
                raise WrongArgument(f"can't be a path: {why}", place=name)


@cache
def declared_kinds(function: Callable[..., Any]) -> dict[str, Any]:
    """By argument its kind: a type, or Any where it can't be told without imports."""
    known = _Known(function)
    kinds = {}
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is one.VAR_KEYWORD or one.annotation is one.empty:
            continue
        kind = eval(one.annotation, known) if isinstance(one.annotation, str) else one.annotation
        kind = Any if isinstance(kind, _Unknown) or _is_open(kind) else kind
        kinds[name] = (
            types.GenericAlias(Sequence, (kind,)) if one.kind is one.VAR_POSITIONAL and kind is not Any else kind
        )
    return kinds


class _Unknown:
    """Stands for a name that is imported for type checkers alone, in whatever annotation it is."""

    def __getattr__(self, name: str) -> _Unknown:
        return self

    def __getitem__(self, of: Any) -> _Unknown:
        return self

    def __or__(self, other: Any) -> _Unknown:
        return self

    __ror__ = __or__


class _Known(dict[str, Any]):
    """The names that a function's annotations may have."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__({**vars(builtins), **inspect.unwrap(function).__globals__})
        if getattr(function, "__name__", "") in vars(builtins):  # `harness.list` is no kind
            self[function.__name__] = getattr(builtins, function.__name__)

    def __missing__(self, name: str) -> _Unknown:
        return _Unknown()


def _is_open(kind: Any) -> bool:
    """Whether something in it is unknown, so that it says nothing."""
    return isinstance(kind, _Unknown) or any(_is_open(one) for one in get_args(kind) if not isinstance(one, str))


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, as far as a look at it tells."""
    if kind is Any or kind is object:
        return True
    if kind is None or kind is types.NoneType:
        return value is None
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if kind is bool:
        return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    if kind is Path:
        return isinstance(value, PathLike)
    if origin in (Sequence, Iterable):
        return _is_listed(value) and all(_fits(one, args[0]) for one in value)
    if origin is Mapping:
        fits = isinstance(value, Mapping) and all(_fits(key, args[0]) for key in value)
        return fits and all(_fits(one, args[1]) for one in value.values())
    plain = origin or kind
    if plain is Callable or plain is types.FunctionType:
        return callable(value)
    try:
        return isinstance(value, plain)
    except TypeError:  # a protocol
        return True


def _is_listed(value: Any) -> bool:
    """Whether it is a list, a tuple, an array, a column: several values in an order."""
    several = isinstance(value, Iterable) and isinstance(value, Sized)
    return several and not isinstance(value, str | bytes | Mapping | set | frozenset) and not hasattr(value, "columns")


def _words(kind: Any, name: str) -> str:
    """`a path, or a list of paths`."""
    kinds = list(dict.fromkeys(_parts(kind, name)))
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])}, or {kinds[-1]}"


_PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", Path: "a path"}
_SEVERAL = {str: "texts", int: "whole numbers", float: "numbers", Path: "paths"}


def _parts(kind: Any, name: str) -> Iterator[str]:
    """What each kind that is taken is called; None goes without saying."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        of_a_path = Path in args
        for one in args:
            if one is not types.NoneType and not (one is str and of_a_path):
                yield from _parts(one, name)
    elif origin is Literal:
        yield f"one of {', '.join(map(str, args))}"
    elif origin in (Sequence, Iterable):
        inner = Path if Path in get_args(args[0]) else args[0]
        yield f"a list of {_SEVERAL.get(inner, 'them')}"
    elif origin is Mapping:
        yield f"a mapping, such as {_EXAMPLES[name]}" if name in _EXAMPLES else "a mapping"
    elif (origin or kind) is Callable:
        yield "a function, such as print"
    elif kind in _PLAIN:
        yield _PLAIN[kind]
    else:
        yield _of_class(kind)


def _of_class(kind: Any) -> str:
    called = str(getattr(kind, "__name__", kind))
    return f"a harness.{called}" if str(getattr(kind, "__module__", "")).startswith("harness.") else f"a {called}"


def texts_of(value: str | Sequence[str], name: str) -> list[str]:
    """One text, or several, as a list. Raises WrongArgument for what is neither."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, bytes) or not isinstance(texts, Sequence):
        raise WrongArgument(f"should be a text, or a list of texts, not {told_value(value)}", place=name)
    for one in texts:
        if not isinstance(one, str):
            raise WrongArgument(f"should be a text, or a list of texts; {told_value(one)} is none", place=name)
        whole_text(one, name)
    return list(texts)


def whole_text(text: str, name: str) -> None:
    """Raises WrongArgument for a text that no file and no tokenizer takes."""
    if printable(text) != text:
        raise WrongArgument("half a character (a lone surrogate) is in it: write the text without", place=name)


def told_value(value: object) -> str:
    """A value as a sentence quotes it: `the text '10'`, `3`, `None`."""
    if value is None:
        return "None"
    return f"the text '{shown(value)}'" if isinstance(value, str) else shown(repr(value).partition("\n")[0])
