"""What a template may take: so much time and so much text, whatever stands in it. Beyond that it fails with one
sentence.

A template is somebody else's, and it is rendered in the process that scores. So what could grow is looked at before
it is made: products, powers, formats with widths, texts that are joined, repeated or padded. Time is looked at by
each turn of a loop and each call, and no single step between two looks is long. Ordinary templates have few of
either.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import wraps
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from jinja2 import nodes

_TRIES = 2
SECONDS = 5.0
"""What one template may take for one document."""
TEXT = 16 << 20
"""Characters of a text that a template makes, and members of a list."""
_COUNT = 100_000
"""The largest number that may say how often or how wide."""
_BITS = 50_000
_SLOW_TEXT = 1 << 20
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{6,}|\{[^{}]*\d{6,}")
_WIDTH_GIVEN = re.compile(r"%[^a-zA-Z%]*\*|\{[^{}]*\{")
_PLAIN = (int, float, bool, type(None))
_SCALARS = frozenset({str, *_PLAIN})
_HARMLESS = frozenset({"find", "rfind", "index", "rindex", "count", "startswith", "endswith", "split", "rsplit", "get"})
_SLOW_FILTERS = (
    *("wordwrap", "urlize", "striptags", "title", "pprint", "tojson", "xmlattr", "forceescape", "escape", "e"),
)
_GROWING_FILTERS = (
    *("center", "indent", "truncate", "batch", "slice", "round", "format", "replace", "sum", "list", "string", "sort"),
    *("unique", "groupby", "dictsort", "reverse", "int", "float", "filesizeformat", "trim", "upper", "lower"),
    *("capitalize",),
)


CHANGING = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort",
    "symmetric_difference_update", "update",
})  # fmt: skip
"""Methods of lists, mappings and sets that change them, which a template may not."""
OF_ARRAYS = frozenset({
    "all", "any", "argmax", "argmin", "item", "max", "mean", "min", "ndim", "shape", "size", "sum", "tolist",
})  # fmt: skip
"""What a template may ask of an array."""


class TooMuch(Exception):
    """A template takes more time or text than it may."""


class _Clock:
    """Of the template that began last: one that runs in another thread meanwhile may take as much longer."""

    __slots__ = ("deadline", "of")

    def __init__(self) -> None:
        self.deadline = float("inf")
        self.of: object = None


_clock = _Clock()
_late: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""How often each template took too long."""


def start(template: object = None) -> None:
    """A template begins: its time runs from now. Raises TooMuch at once for one that took too long twice: it would
    for each of thousands of documents."""
    if template is not None and _late and _late.get(template, 0) >= _TRIES:
        raise _too_late()
    _clock.of = template
    _clock.deadline = time.monotonic() + SECONDS


def look() -> None:
    """Raise TooMuch if its time is up."""
    if time.monotonic() > _clock.deadline:
        _clock.deadline = float("inf")
        if _clock.of is not None:
            _late[_clock.of] = _late.get(_clock.of, 0) + 1
        raise _too_late()


def _too_late() -> TooMuch:
    return TooMuch(f"it takes longer than {SECONDS:g} s")


def joined(pieces: Iterable[str]) -> str:
    """The text of all pieces. Raises TooMuch."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > TEXT:
            raise too_long()
    return "".join(kept)


def concatenated(values: Iterable[Any]) -> str:
    """`a ~ b`. Raises TooMuch."""
    look()
    return joined(str(written(value)) for value in values)


def written(value: Any) -> Any:
    """A value that is about to become text: itself. Raises TooMuch where its text would be too long."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        _weigh(value)
    return value


def _weigh(value: Any, most: int = TEXT) -> int:
    """How long the text of nested lists and mappings is, about. What stands in several places counts in each.
    TooMuch."""
    waiting, size = [value], 0
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, Mapping):
            members: Iterable[Any] = [*holder.keys(), *holder.values()]
        else:
            members = holder if isinstance(holder, list | tuple | set | frozenset) else (holder,)
        size += 2
        for one in members:
            kind = type(one)
            if kind is str:
                size += len(one) + 4
            elif kind in _SCALARS:
                size += 8
            elif isinstance(one, str | bytes):
                size += len(one) + 4
            elif isinstance(one, Mapping | list | tuple | set | frozenset):
                waiting.append(one)
            else:
                size += 8
        if size + len(waiting) > most:
            raise too_long()
    return size


def too_long() -> TooMuch:
    """What is raised where a template would make too much text."""
    return TooMuch(f"it makes a text of more than {TEXT >> 20} million characters")


def collected(of: Iterable[Any]) -> list[Any]:
    """All members, as a list. Raises TooMuch as soon as they are too long together."""
    kept: list[Any] = []
    size = 0
    for one in Turns(of):
        kept.append(one)
        size += len(one) if isinstance(one, str | bytes) else 8
        if size > TEXT:
            raise too_long()
    return kept


def made(value: Any) -> Any:
    """A list, tuple or mapping that a template makes: itself. Raises TooMuch where what is in it is too much to be
    compared: what holds itself twice, many times over, is small in memory and takes for ever."""
    members = value.values() if isinstance(value, Mapping) else value
    if any(isinstance(one, Mapping | list | tuple | set | frozenset) for one in members):
        look()
        _weigh(value)
    return value


class Turns:
    """What a loop goes through, with a look at the clock in each turn."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __iter__(self) -> Iterator[Any]:
        for one in self._of:
            look()
            yield one

    def __len__(self) -> int:
        if not isinstance(self._of, Sized):
            raise TypeError("it has no length")
        return len(self._of)


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
        _check_counts(given)
    longest = max((len(one) if isinstance(one, str) else _weigh(one) for one in given), default=0)
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
        _check_counts((*arguments, *options.values()))
    if name in ("replace", "translate"):
        _check_growth(own, arguments)
    return arguments


def _check_join(between: Any, members: Sequence[Any]) -> None:
    size = sum(_weigh(one) for one in members) + len(between) * len(members)
    if size > TEXT:
        raise too_long()


def _check_counts(arguments: Iterable[Any]) -> None:
    for one in arguments:
        if isinstance(one, int) and abs(one) > _COUNT:
            raise TooMuch(f"a number in it says how often or how wide, and is larger than {_COUNT}")


def _check_growth(text: Any, arguments: Iterable[Any]) -> None:
    """Each character of a text may be replaced by what stands among the arguments."""
    size = len(text) if isinstance(text, Sized) else len(str(written(text)))
    for one in arguments:
        if isinstance(one, str | bytes) and len(one) > 1 and (size + 1) * len(one) > TEXT:
            raise too_long()
        if isinstance(one, Mapping) and (size + 1) * max(map(len, map(str, one.values())), default=0) > TEXT:
            raise too_long()


def bounded_filters(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Those of jinja's filters that could make much or take long, with a look before."""
    found: dict[str, Callable[..., Any]] = {
        name: _bounded(filters[name], TEXT) for name in _GROWING_FILTERS if name in filters
    }
    found |= {name: _bounded(filters[name], _SLOW_TEXT) for name in _SLOW_FILTERS if name in filters}
    found |= {"join": _joining(filters["join"]), "_concatenated": concatenated, "_made": made}
    return {**found, "_turns": Turns}


def _bounded(filter_: Callable[..., Any], most: int) -> Callable[..., Any]:
    @wraps(filter_)
    def call(*arguments: Any, **options: Any) -> Any:
        look()
        place = 1 if hasattr(filter_, "jinja_pass_arg") else 0
        value, others = arguments[place], (*arguments[place + 1 :], *options.values())
        if isinstance(value, Iterator):
            value = collected(value)
            arguments = (*arguments[:place], value, *arguments[place + 1 :])
        if isinstance(value, str):
            if len(value) > most:
                raise too_long()
        elif not isinstance(value, _PLAIN):
            _weigh(value, most)
        if others:
            _check_counts(others)
            _check_growth(value, (one for one in others if isinstance(one, str)))
            if filter_.__name__ == "do_format":
                check_format(value, others)
        return filter_(*arguments, **options)

    return call


def _joining(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter_)
    def call(context: Any, value: Any, d: str = "", attribute: Any = None) -> Any:
        if isinstance(value, str):
            members: Any = value
            size = len(value)
        else:
            members = collected(value)
            size = sum(len(one) if isinstance(one, str) else _weigh(one) for one in members)
        if size + len(members) * len(str(d)) > TEXT:
            raise too_long()
        return filter_(context, members, d, attribute)

    return call


def bounded_tree(tree: nodes.Template) -> None:
    """A template's tree with a look at the clock in each turn of its loops, at the length of what `~` makes, and at
    what lists, tuples and mappings hold."""
    from jinja2 import nodes

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
    _with_looks(tree)


def _with_looks(node: Any) -> Any:
    from jinja2 import nodes

    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, name, _with_looks(value))
        elif isinstance(value, list):
            setattr(node, name, [_with_looks(one) if isinstance(one, nodes.Node) else one for one in value])
    if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return node if _is_constant(node) else nodes.Filter(node, "_made", [], [], None, None, lineno=node.lineno)
    if not isinstance(node, nodes.Concat):
        return node
    members = nodes.Tuple(node.nodes, "load", lineno=node.lineno)
    return nodes.Filter(members, "_concatenated", [], [], None, None, lineno=node.lineno)


def _is_constant(node: Any) -> bool:
    from jinja2 import nodes

    return all(isinstance(one, nodes.Const | nodes.Literal | nodes.Pair) for one in node.find_all(nodes.Expr))


def bounded(kind: type[Any]) -> type[Any]:
    """A class of jinja's sandboxed environments, with a look before each step that could be large or long."""

    class Bounded(kind):  # type: ignore[misc]
        intercepted_binops = frozenset({"*", "**", "%", "+"})
        concat = staticmethod(joined)

        def _parse(self, *arguments: Any) -> nodes.Template:
            tree: nodes.Template = super()._parse(*arguments)
            bounded_tree(tree)
            return tree

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            check_operation(operator, left, right)
            return super().call_binop(context, operator, left, right)

        def call(__self, __context: Any, __obj: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N805
            arguments = check_call(__obj, arguments, options)
            return super().call(__context, __obj, *arguments, **options)

    return Bounded
