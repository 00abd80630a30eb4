"""Values as a flat table of plain data, written and read without recursion: a hostile one costs memory and no crash.

A table is a list of nodes: `[tag, ...]` of scalars and lists of parts. A part is a scalar itself, or `[index]` of
another node, so that shared and circular values keep their shape. What is no plain value: see `objects`.
"""

from __future__ import annotations

import base64
import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from harness.tasks.programs import arrays

Part = Any
"""None, a bool, int, float or str as they are; `[index]`: a node."""
Node = list[Any]

_SCALARS = frozenset({type(None), bool, str, float})
_LONGEST_NUMBER = 1 << 4000
_SINGLETONS = {"...": Ellipsis, "NotImplemented": NotImplemented}
_VIEWS = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


class Malformed(Exception):
    """A table that no honest peer writes."""


class Writer:
    """Writes one value, and everything in it, as a table.

    `foreign(value, writer)`: a node for what is no plain value; `known`: objects that the other side has in its own
    table, id -> index there.
    """

    def __init__(self, foreign: Callable[[Any, Writer], Node], known: dict[int, int]) -> None:
        self._foreign, self._known = foreign, known
        self._index: dict[int, int] = {}
        self._waiting: list[tuple[int, Any]] = []
        self.nodes: list[Node] = []
        self.kept: list[Any] = []
        """The object of each node."""

    def write(self, value: Any) -> Part:
        """The value as a part; its nodes are added to `nodes`."""
        part = self.part(value)
        while self._waiting:
            index, waiting = self._waiting.pop()
            self.nodes[index] = self._node(waiting)
        return part

    def part(self, value: Any) -> Part:
        """A value as a part of a node; its own node is written later."""
        kind = type(value)
        if kind in _SCALARS or (kind is int and -_LONGEST_NUMBER < value < _LONGEST_NUMBER):
            return value
        index = self._index.get(id(value))
        if index is None:
            index = self._index[id(value)] = len(self.nodes)
            self.nodes.append([])
            self.kept.append(value)
            self._waiting.append((index, value))
        return [index]

    def parts(self, values: Iterable[Any]) -> list[Part]:
        """Several values as parts."""
        return [self.part(value) for value in values]

    def _node(self, value: Any) -> Node:
        if id(value) in self._known:
            return ["known", self._known[id(value)]]
        return self.plain(value) or self._foreign(value, self)

    def plain(self, value: Any) -> Node | None:
        """The node of a plain value; None: it isn't one."""
        kind = type(value)
        if kind in CONTAINERS:
            return [kind.__name__, *_content(value, self.parts)]
        if kind in (tuple, frozenset):
            return [kind.__name__, self.parts(value)]
        if kind is int:
            return ["int", hex(value)] if abs(value) >= _LONGEST_NUMBER else ["same", [value]]
        if kind in (bytes, complex, range, slice, Decimal, Fraction):
            return [kind.__name__, self.parts(_arguments(value))]
        if kind is datetime.timezone:
            return ["timezone", self.parts(value.__getinitargs__())]
        if kind.__name__ in _MOMENTS and kind.__module__ == "datetime":
            zone = getattr(value, "tzinfo", None)
            if zone is None or type(zone) is datetime.timezone:
                return [kind.__name__, _moment(value), self.parts([] if zone is None else [zone])]
        if kind in _VIEWS:
            return ["view", _VIEWS[kind], self.parts(list(value))]
        for name, one in _SINGLETONS.items():
            if value is one:
                return ["singleton", name]
        if kind in _SCALARS:
            return ["same", [value]]
        return arrays.node(value, self.parts)


class Reader:
    """Reads a table. The other side's objects are made by `foreign(node, read)`, those that it knows by `known(index)`.

    `read(part)`: the value of a part that is immutable. Raises Malformed.
    """

    def __init__(
        self, nodes: list[Node], foreign: Callable[[Node, Callable[[Part], Any]], Any], known: Callable[[int], Any]
    ) -> None:
        self._nodes, self._foreign, self._known = nodes, foreign, known
        self.built: list[Any] = [_UNBUILT] * len(nodes)
        """The object of each node."""

    def read(self) -> None:
        """Build every node. Raises Malformed."""
        try:
            shells = [index for index, node in enumerate(self._nodes) if node[0] in _CONTAINERS_BY_NAME]
            for index in shells:
                self.built[index] = _shell(*self._nodes[index])
            for index in range(len(self._nodes)):
                self._build(index)
            for index in shells:
                node = self._nodes[index]
                fill(self.built[index], [self._parts(part) if type(part) is list else part for part in node[1:]])
        except (Malformed, MemoryError):
            raise
        except Exception as error:
            raise Malformed(f"{type(error).__name__}: {error}"[:200]) from None

    def value(self, part: Part) -> Any:
        """The value of a part whose node is built."""
        if type(part) is not list:
            return part
        (index,) = part
        if self.built[index] is _UNBUILT:
            raise Malformed("a value holds itself")
        return self.built[index]

    def _parts(self, parts: list[Part]) -> list[Any]:
        return [self.value(part) for part in parts]

    def _build(self, start: int) -> None:
        """Build a node after those that it needs; who needs itself is malformed."""
        waiting, begun = [start], set()
        while waiting:
            index = waiting[-1]
            if self.built[index] is not _UNBUILT:
                waiting.pop()
                continue
            node = self._nodes[index]
            needed = [] if index in begun else [
                part[0] for parts in node[1:] if type(parts) is list for part in parts
                if type(part) is list and len(part) == 1 and type(part[0]) is int and self.built[part[0]] is _UNBUILT
            ]  # fmt: skip
            begun.add(index)
            if needed:
                waiting += needed
                continue
            waiting.pop()
            self.built[index] = self._made(node)

    def _made(self, node: Node) -> Any:
        tag, *rest = node
        if tag == "known":
            return self._known(*rest)
        if tag == "tuple":
            return tuple(self._parts(rest[0]))
        if tag == "frozenset":
            return frozenset(self._parts(rest[0]))
        if tag == "same":
            return self.value(rest[0][0])
        if tag == "int":
            return int(rest[0], 16)
        if tag == "bytes":
            return base64.b64decode(rest[0][0])
        if tag in _BY_ARGUMENTS:
            return _BY_ARGUMENTS[tag](*self._parts(rest[0]))
        if tag in _MOMENTS:
            made = _MOMENTS[tag](*(int(number) for number in rest[0]))
            return made.replace(tzinfo=self.value(rest[1][0])) if rest[1] else made
        if tag == "view":
            return _view(rest[0], self._parts(rest[1]))
        if tag == "singleton":
            return _SINGLETONS[rest[0]]
        if tag in ("array", "objects", "scalar"):
            return arrays.made(tag, rest, self._parts)
        return self._foreign(node, self.value)


class _Unbuilt:
    pass


_UNBUILT = _Unbuilt()
CONTAINERS = frozenset({list, dict, set, bytearray, deque, OrderedDict, defaultdict, Counter})
_CONTAINERS_BY_NAME = {kind.__name__: kind for kind in CONTAINERS}
_BY_ARGUMENTS: dict[str, Callable[..., Any]] = {
    "complex": complex,
    "range": range,
    "slice": slice,
    "timezone": datetime.timezone,
    "Decimal": Decimal,
    "Fraction": Fraction,
}
_MOMENTS: dict[str, Callable[..., Any]] = {
    "date": datetime.date,
    "time": lambda *numbers: datetime.time(*numbers[:-1], fold=numbers[-1]),
    "datetime": lambda *numbers: datetime.datetime(*numbers[:-1], fold=numbers[-1]),
    "timedelta": datetime.timedelta,
}


def _shell(tag: str, *rest: Any) -> Any:
    return deque(maxlen=rest[1]) if tag == "deque" else _CONTAINERS_BY_NAME[tag]()


def fill(shell: Any, rest: list[Any]) -> None:
    """Put into an empty container what its node holds after the tag."""
    if isinstance(shell, bytearray):
        shell.extend(base64.b64decode(rest[0]))
    elif isinstance(shell, deque):
        shell.extend(rest[0])
    elif isinstance(shell, dict):
        for key, one in zip(rest[0], rest[1], strict=True):
            shell[key] = one
        if isinstance(shell, defaultdict):
            shell.default_factory = rest[2][0]
    elif isinstance(shell, set):
        shell.update(rest[0])
    else:
        shell.extend(rest[0])


def _content(value: Any, parts: Callable[[Iterable[Any]], list[Part]]) -> list[Any]:
    if isinstance(value, bytearray):
        return [base64.b64encode(value).decode()]
    if isinstance(value, deque):
        return [parts(list(value)), value.maxlen]
    if isinstance(value, dict):
        factory = [parts([value.default_factory])] if isinstance(value, defaultdict) else []
        return [parts(list(value.keys())), parts(list(value.values())), *factory]
    return [parts(list(value))]


def _arguments(value: Any) -> list[Any]:
    if isinstance(value, bytes):
        return [base64.b64encode(value).decode()]
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, range | slice):
        return [value.start, value.stop, value.step]
    return [str(value)]


def _moment(value: Any) -> list[int]:
    if isinstance(value, datetime.timedelta):
        return [value.days, value.seconds, value.microseconds]
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond", "fold")
    return [getattr(value, name) for name in names if hasattr(value, name)]


def _view(name: str, values: list[Any]) -> Any:
    if name == "values":
        return dict(enumerate(values)).values()
    return dict.fromkeys(values).keys() if name == "keys" else dict(values).items()
