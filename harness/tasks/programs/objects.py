"""What is no plain value, between two processes: it stays where it is, and the other side knows it by a number.

Of a class of exceptions and of an exception each side has its own, with the same name, bases and text, so that `except`
works; of a generator and a coroutine a real one that asks; of what both can import, the thing itself, by its name.
"""

from __future__ import annotations

import builtins
import enum
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

from harness.tasks.programs import subclasses
from harness.tasks.programs.stand_ins import FORWARDED, is_stand_in, state_of
from harness.tasks.programs.values import Malformed, Node, Part, Writer

_NEVER_NAMED = frozenset({
    "__import__", "breakpoint", "compile", "copyright", "credits", "delattr", "dir", "eval", "exec", "exit", "getattr",
    "globals", "help", "input", "license", "locals", "memoryview", "object", "open", "print", "quit", "setattr",
    "super", "type", "vars",
})  # fmt: skip
_PURE_MODULES = frozenset({
    "_collections", "_operator", "cmath", "collections", "datetime", "decimal", "fractions", "math", "operator",
})  # fmt: skip
_LENT_MODULES = frozenset({
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools",
    "json", "math", "numpy", "operator", "random", "re", "statistics", "string", "time", "typing",
})  # fmt: skip
"""Modules that a test may have from a program under another name: `import math as m`."""
_BY_NAME = (
    type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)  # fmt: skip

Maker = Callable[[int, str, str, list[str], str | None], Any]
"""Makes what stands for an object: its number, kind, name, special methods, and the plain type that it derives from."""


class Objects:
    """One side's table: its own objects by number, and what it has in the place of the other side's.

    `make`: a `Maker`; `attribute(error, name)`: an attribute of the other side's exception; `offers(module, name)`:
    whether an importable object goes by its name; `accepts(module, name)`: whether it is taken by it; `keeps(value)`:
    whether an instance of a subclass of a plain type stays an object, rather than being copied as that plain value.
    """

    def __init__(
        self,
        make: Maker,
        attribute: Callable[[Any, str], Any],
        offers: Callable[[str, str], bool],
        accepts: Callable[[str, str], bool],
        keeps: Callable[[Any], bool],
    ) -> None:
        self._make, self._attribute = make, attribute
        self._offers, self._accepts, self._keeps = offers, accepts, keeps
        self._own: list[Any] = []
        self._numbers: dict[int, int] = {}  # of our own, by id
        self._theirs: dict[int, Any] = {}
        self._their_numbers: dict[int, int] = {}  # of what we have in the place of theirs, by id

    def is_theirs(self, value: Any) -> bool:
        """Whether a value stands for one of the other side's."""
        return is_stand_in(value) or id(value) in self._their_numbers

    def is_own(self, value: Any) -> bool:
        """Whether the other side has been told of an object of ours."""
        return id(value) in self._numbers

    def awaits(self) -> bool:
        """Whether the other side was told of a coroutine of ours that nobody has begun."""
        coroutines = [one for one in self._own if inspect.iscoroutine(one)]
        return any(inspect.getcoroutinestate(one) == inspect.CORO_CREATED for one in coroutines)

    def node(self, value: Any, writer: Writer) -> Node:
        """How an object is written."""
        number = state_of(value).number if is_stand_in(value) else self._their_numbers.get(id(value))
        if number is not None:
            return ["yours", number]
        if isinstance(value, types.ModuleType):
            if _is_importable(value.__name__) and self._offers(value.__name__, ""):
                return ["module", value.__name__]
        elif (reference := _reference(value)) and self._offers(*reference):
            return ["named", *reference]
        if isinstance(value, BaseException):
            parts = [writer.part(type(value)), writer.part(tuple(value.args))]
            return ["exception", self._number(value), parts, text_of(value)]
        if isinstance(value, type) and issubclass(value, BaseException):
            bases = [base for base in value.__bases__ if issubclass(base, BaseException)]
            return ["exception type", self._number(value), value.__name__, writer.parts(bases)]
        fields = subclasses.named_tuple_fields(value)
        if fields is not None and not _has_methods(type(value), fields):
            return ["named tuple", type(value).__name__, list(fields), writer.parts(tuple.__iter__(value))]
        base = next((one for one in subclasses.PLAIN_BASES if one in type(value).__mro__), None)
        if base and fields is None and not isinstance(value, enum.Enum) and not self._keeps(value):
            return writer.plain(subclasses.plain_base(value)) or ["same", [None]]
        of = value if isinstance(value, type) else type(value)
        return ["theirs", self._number(value), _kind(value), of.__name__, _special(value), base and base.__name__]

    def value(self, node: Node, read: Callable[[Part], Any]) -> Any:
        """The object of a node. Raises Malformed."""
        tag, *rest = node
        if tag == "yours":
            return self._own[range(len(self._own))[rest[0]]]
        if tag == "module":
            return self._module(*rest)
        if tag == "named":
            return self._named(*rest)
        if tag == "named tuple":
            return subclasses.named_tuple(rest[0], rest[1], [read(part) for part in rest[2]])
        number = rest[0]
        if not isinstance(number, int):
            raise Malformed("a number that is none")
        if number not in self._theirs:
            if tag == "theirs":
                made = self._make(*rest)
            elif tag == "exception":
                kind, arguments = (read(part) for part in rest[1])
                made = self._exception(kind, arguments, str(rest[2]))
            elif tag == "exception type":
                made = self._exception_type(str(rest[1]), tuple(read(part) for part in rest[2]))
            else:
                raise Malformed(f"no node is called {tag}"[:200])
            self._theirs[number] = made
            self._their_numbers[id(made)] = number
            return made
        if is_stand_in(known := self._theirs[number]):
            state_of(known).returned = True
        return known

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._own)
            self._own.append(value)
        return number

    def _module(self, name: str) -> Any:
        if not (_is_importable(name) and self._accepts(name, "")):
            raise Malformed("a module that can't be named")
        __import__(name)
        return sys.modules[name]

    def _named(self, module: str, name: str) -> Any:
        if not (_is_importable(module) and self._accepts(module, name)):
            raise Malformed("an object that can't be named")
        __import__(module)
        found = _resolved(module, name)
        if _reference(found) != (module, name):  # reached through another thing: `typing.sys.exit`
            raise Malformed("an object by a name that isn't its own")
        return found

    def _exception(self, kind: type, arguments: tuple[Any, ...], text: str) -> BaseException:
        if not (isinstance(kind, type) and issubclass(kind, BaseException) and isinstance(arguments, tuple)):
            raise Malformed("an exception that is none")
        if self.is_theirs(kind):
            error = kind.__new__(kind, *arguments)
            error.args = arguments
            error.__dict__["_text"] = text
            return error
        try:
            return kind(*arguments)
        except Exception:
            return Exception(text)

    def _exception_type(self, name: str, bases: tuple[type, ...]) -> type:
        if not all(isinstance(base, type) and issubclass(base, BaseException) for base in bases):
            raise Malformed("an exception that is none")

        def attribute(error: BaseException, name: str) -> Any:
            if name.startswith("_") or not self.is_theirs(error):
                raise AttributeError(name)
            return self._attribute(error, name)

        def text(error: BaseException) -> str:
            said = error.__dict__.get("_text")
            return said if isinstance(said, str) else Exception.__str__(error)

        return type(name, bases, {"__getattr__": attribute, "__str__": text})


def is_pure(module: str, name: str) -> bool:
    """Whether an importable object can come from a program: a type, a function of values alone, a well-known module."""
    if not name:
        return module in _LENT_MODULES
    if any(step.startswith("_") for step in name.split(".")):
        return False
    if module == "builtins":
        return name.partition(".")[0] not in _NEVER_NAMED
    return module in _PURE_MODULES


def text_of(error: BaseException) -> str:
    """What an exception says, or a question mark where asking it fails."""
    try:
        return str(error)[:300]
    except BaseException:
        return "?"


def _is_importable(module: str) -> bool:
    root = str(module).partition(".")[0]
    return root == "numpy" or (root in sys.stdlib_module_names and root != "__main__")


def _reference(value: Any) -> tuple[str, str] | None:
    """Module and name of what can be imported there under that name."""
    if not isinstance(value, _BY_NAME) and type(value).__module__ not in ("typing", "numpy"):
        return None
    home = getattr(value, "__objclass__", value)
    module = getattr(home, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "_name", None) or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or not _is_importable(module):
        return None
    try:
        return (module, name) if _resolved(module, name) is value else None
    except (AttributeError, KeyError):
        return None


def _resolved(module: str, name: str) -> Any:
    found: Any = builtins if module == "builtins" else sys.modules[module]
    if module == "builtins" and not hasattr(builtins, name.partition(".")[0]):
        found = types
    for step in name.split("."):
        found = getattr(found, step)
    return found


def _has_methods(kind: type, fields: tuple[str, ...]) -> bool:
    """Whether a class of named tuples has more than its fields."""
    return any(not name.startswith("_") and name not in fields for name in vars(kind))


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    if isinstance(value, types.GeneratorType):
        return "generator"
    if inspect.iscoroutine(value):
        return "coroutine"
    return "object"


def _special(value: Any) -> list[str]:
    """Which special methods it has beyond those of every object, or every class."""
    kinds = [kind for kind in type(value).__mro__ if kind not in (object, type)]
    found = {name for kind in kinds for name in vars(kind) if name in FORWARDED}
    none = {name for name in found if getattr(type(value), name, None) is None}
    return sorted((found - none) | ({"__call__"} if isinstance(value, type) else set()))
