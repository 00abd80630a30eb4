"""What a process has in the place of an object of another process: it asks for everything that is done with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from harness.tasks.programs.subclasses import PLAIN_BASES
from harness.tasks.programs.values import Malformed

ARITHMETIC = frozenset(
    f"__{prefix}{name}__"
    for name in [
        "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and",
        "xor", "or",
    ]
    for prefix in ("", "r", "i")
)  # fmt: skip
"""The special methods of operators with two sides."""
FORWARDED = frozenset(
    [
        "__call__", "__iter__", "__next__", "__reversed__", "__len__", "__getitem__", "__setitem__", "__delitem__",
        "__contains__", "__bool__", "__int__", "__float__", "__complex__", "__index__", "__round__", "__trunc__",
        "__floor__", "__ceil__", "__abs__", "__neg__", "__pos__", "__invert__", "__lt__", "__le__", "__gt__",
        "__ge__", "__eq__", "__ne__", "__hash__", "__enter__", "__exit__", "__str__", "__repr__", "__format__",
        "__bytes__",
    ]
) | ARITHMETIC  # fmt: skip
"""The special methods that a stand-in has if its object has them."""
_PUBLIC_SPECIAL = frozenset({"__name__", "__qualname__", "__doc__", "__module__", "__dict__"})
_PLAIN = {base.__name__: base for base in PLAIN_BASES}


class Asker(Protocol):
    """Who is asked: see `peer`."""

    def ask(self, operation: str, target: Any, *arguments: Any, **named: Any) -> Any:
        """Do something with the object that `target` stands for."""

    def forward(self, target: StandIn, special: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A special method of the object that `target` stands for."""


class State:
    """What a stand-in knows of itself."""

    __slots__ = (
        "asker",
        "base",
        "constructed",
        "is_class",
        "kind",
        "name",
        "number",
        "of_class",
        "operated",
        "returned",
    )

    def __init__(self, asker: Asker, number: int, kind: str, name: str, base: type | None) -> None:
        self.asker, self.number, self.kind, self.name, self.base = asker, number, kind, name, base
        self.is_class = False
        """Whether it is used here as a class of the other side's, by a name of one."""
        self.constructed = False
        """Whether it was made here, by calling such a class, or is an attribute of one."""
        self.of_class = False
        """Whether it is an attribute of such a class."""
        self.returned = False
        """Whether the other side gave it again, in whatever it said: a method can give its own object as a number."""
        self.operated = False
        """Whether it came out of an operator that had a value of ours as its other side."""


class StandIn:
    """Base of all stand-ins; the special methods that the object has are added by `_type`."""

    __slots__ = ("__weakref__", "_state")
    _state: State

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in _PUBLIC_SPECIAL:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return state_of(self).asker.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        state_of(self).asker.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        state_of(self).asker.ask("del", self, name)

    def __copy__(self) -> Any:
        return state_of(self).asker.ask("copy", self)

    def __deepcopy__(self, memo: Any) -> Any:
        return state_of(self).asker.ask("deepcopy", self)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, StandIn) and state_of(self).asker.ask("isinstance", self, instance) is True

    def __subclasscheck__(self, kind: Any) -> bool:
        return isinstance(kind, StandIn) and state_of(self).asker.ask("issubclass", self, kind) is True

    def __eq__(self, other: object) -> Any:
        return self is other or state_of(self).asker.forward(self, "__eq__", (other,), {})

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __repr__(self) -> str:
        return str(state_of(self).asker.forward(self, "__repr__", (), {}))

    def __str__(self) -> str:
        return str(state_of(self).asker.forward(self, "__str__", (), {}))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return state_of(self).base or type(self)


def state_of(stand_in: Any) -> State:
    """What a stand-in knows of itself, past its own attributes."""
    state: State = object.__getattribute__(stand_in, "_state")
    return state


def is_stand_in(value: Any) -> bool:
    """Whether a value is a stand-in, whatever it says that it is."""
    return issubclass(type(value), StandIn)


def make(asker: Asker, number: int, kind: str, name: str, special: list[str], base: str | None) -> Any:
    """What stands for an object of that kind. Raises Malformed."""
    if base is not None and base not in _PLAIN:
        raise Malformed("a base that is none")
    if not FORWARDED.issuperset(special):
        raise Malformed("a special method that is none")
    made: Any = object.__new__(_type(str(name), tuple(special)))
    object.__setattr__(made, "_state", State(asker, number, str(kind), str(name), _PLAIN[base] if base else None))
    if kind == "generator":
        return _generator(made)
    return _coroutine(made) if kind == "coroutine" else made


@cache
def _type(name: str, special: tuple[str, ...]) -> type:
    own = {one: _forwarding(one) for one in special if one not in ("__eq__", "__ne__", "__str__", "__repr__")}
    if "__eq__" in special and "__hash__" not in special:
        own["__hash__"] = None
    return type(name, (StandIn,), {"__slots__": (), "__doc__": _DOC, **own})


_DOC = property(lambda self: state_of(self).asker.ask("get", self, "__doc__"))


def _forwarding(special: str) -> Any:
    def method(self: StandIn, *arguments: Any, **named: Any) -> Any:
        return state_of(self).asker.forward(self, special, arguments, named)

    method.__name__ = special
    return method


def _generator(stand_in: Any) -> Any:
    """A real generator that asks for each value."""
    asker = state_of(stand_in).asker
    methods: dict[str, Callable[..., Any]] = {}

    def method(name: str) -> Callable[..., Any]:
        if name not in methods:
            methods[name] = asker.ask("get", stand_in, name)
        return methods[name]

    def relay() -> Any:
        sent = None
        try:
            value = asker.ask("__next__", stand_in)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    method("close")()
                    raise
                except BaseException as error:
                    value = asker.ask("call", method("throw"), error)
                else:
                    value = asker.ask("__next__", stand_in) if sent is None else asker.ask("call", method("send"), sent)
        except StopIteration as end:
            return end.value

    return relay()


def _coroutine(stand_in: Any) -> Any:
    """A real coroutine: the other side's is run there, to its end, when it is awaited."""

    async def relay() -> Any:
        return state_of(stand_in).asker.ask("run", stand_in)

    return relay()
