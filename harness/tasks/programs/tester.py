"""A test's use of a program in another process.

What comes from the program can't act here: values are copied as plain ones, and an object is a stand-in that never says
itself whether it equals a value of the test's. When the candidate is gone the test ends at once, whatever it catches.
"""

from __future__ import annotations

import io
import json
import os
import sys
import types
from typing import Any

from harness.tasks.programs.assertions import FILE, Assertions
from harness.tasks.programs.channel import Channel, Gone
from harness.tasks.programs.objects import is_pure, text_of
from harness.tasks.programs.peer import Peer
from harness.tasks.programs.stand_ins import ARITHMETIC, StandIn, State, is_stand_in, state_of

_OPERATORS = ARITHMETIC | {"__neg__", "__pos__", "__invert__"}
_OF_FLAGS = frozenset(f"__{prefix}{name}__" for name in ("and", "or", "xor") for prefix in ("", "r"))
_ORDER = frozenset({"__lt__", "__le__", "__gt__", "__ge__"})
_LOOKS = frozenset(
    [
        "__bool__", "__int__", "__float__", "__complex__", "__index__", "__round__", "__trunc__", "__floor__",
        "__ceil__", "__abs__", "__hash__", "__len__", "__str__", "__repr__", "base", "name",
    ]
)  # fmt: skip
"""What changes nothing: the answer holds until something else is asked."""
_IMMUTABLE = frozenset({int, float, complex, str, bytes, tuple, frozenset})
_PREDICATES = frozenset(
    [
        "startswith", "endswith", "issubset", "issuperset", "isdisjoint", "is_integer", "isalnum", "isalpha",
        "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace",
        "istitle", "isupper", "find", "rfind", "index", "rindex", "count", "difference",
        "symmetric_difference", "intersection", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace",
        "partition", "rpartition",
    ]
)  # fmt: skip
"""What is asked of a text, a set or a table with a value of the test's, and could be answered out of that value."""
_OF_OTHERS = frozenset({"find", "rfind", "index", "rindex", "count", "replace"})
"""Those that have a meaning for an object of another class, too."""
_ASKED_OF_ITERATORS = frozenset({"send", "throw", "close"})
_PUBLIC_SPECIAL = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})


class Tester(Peer):
    """Uses the program's objects, and lends it those of the test's that the test hands over."""

    def __init__(self, channel: Channel, verdict: int) -> None:
        super().__init__(channel)
        self._verdict = verdict
        self._seen: dict[tuple[str, int | None, tuple[Any, ...]], Any] = {}
        self.tests = ""
        """The test's text: which exceptions it names."""
        self.assertions = Assertions("")

    def end(self, status: str, reason: str = "", gone: bool = False) -> None:
        """Say how the program did, and end this process."""
        os.write(
            self._verdict,
            json.dumps({"status": status, "reason": reason[:300], "gone": gone}, allow_nan=False).encode("ascii"),
        )
        os._exit(0)

    def ask(self, operation: str, target: Any, *arguments: Any, **named: Any) -> Any:
        """Ask the program; where it can't answer any more the test is over."""
        state = state_of(target) if is_stand_in(target) else None
        if state and operation == "get" and arguments[0] in _PREDICATES and not _may_answer(state, arguments[0]):
            if state.base is None:
                raise AttributeError(f"the test asks an object of the program's whether it `{arguments[0]}`")
            return getattr(self._base(target), arguments[0])
        if state and state.operated and operation != "__eq__" and operation not in _OPERATORS:
            raise TypeError(f"{state.name} and a value of the test's give an object that says nothing of itself")
        looks = operation in _LOOKS and all(type(one) in (int, str) for one in arguments)
        key = (operation, state.number if state else None, arguments)
        if looks and key in self._seen:
            return self._seen[key]
        self._seen.clear()
        try:
            result = super().ask(operation, target, *arguments, **named)
        except Gone as error:
            self.end("failed", str(error), gone=True)
        except StopIteration as error:
            if operation in ("call", "__next__"):  # see `_called`; generators ask for the end with both
                raise
            raise self._no_end() from error
        if looks:
            self._seen[key] = result
        if state and state.is_class and operation == "get" and is_stand_in(result):
            state_of(result).constructed = state_of(result).of_class = True
            state_of(result).is_class = is_class(result, arguments[0])
        return result

    def _no_end(self) -> Exception:
        """What a StopIteration is that would end a loop of the test's, such as one over `map`."""
        return StopIteration() if "StopIteration" in self.tests else RuntimeError("the program raised StopIteration")

    def do(self, operation: str, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the program does with an object of the test's; it can't hide that an assertion in it failed."""
        try:
            return super().do(operation, target, arguments, named)
        except Exception as error:
            if not self.objects.is_theirs(error) and self.assertions.lost_in_call(error):
                self.end("failed", f"{type(error).__name__}: {text_of(error)}")
            raise

    def accepts(self, module: str, name: str) -> bool:
        """Modules, and what computes with values alone."""
        return is_pure(module, name)

    def may(self, operation: str, target: Any, arguments: tuple[Any, ...]) -> bool:
        """What the test has handed over may be called and gone through; objects of its own classes, looked into."""
        if not self.objects.is_own(target) or operation in ("run", "start", "name"):
            return False
        if operation not in ("get", "set", "del", "copy", "deepcopy"):
            return True
        if _steers(target, arguments):
            return False
        of_test = type(target).__module__ == "__main__" or isinstance(target, io.StringIO | io.BytesIO)
        if operation in ("set", "del") and callable(getattr(type(target), arguments[0], None)):
            return False  # a method of the test's own
        if operation in ("copy", "deepcopy"):
            return of_test
        name = arguments[0]
        if operation == "get" and (
            name in _PUBLIC_SPECIAL or (name in _ASKED_OF_ITERATORS and isinstance(target, types.GeneratorType))
        ):
            return True
        return of_test and not name.startswith("_")

    def forward(self, target: StandIn, special: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A special method of the program's object, where it can't answer for a value of the test's."""
        if special == "__call__":
            return self._called(target, arguments, named)
        if special == "__eq__" or special in _ORDER:
            return self._compare(target, special, arguments[0])
        if special == "__contains__":
            return self._contains(target, arguments[0])
        if special == "__exit__":
            return self._left(target, *arguments)
        if special in _OPERATORS:
            return self._operated(target, special, arguments)
        return self.ask(special, target, *arguments, **named)

    def _called(self, target: StandIn, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a function or a class gives."""
        try:
            result = self.ask("call", target, *arguments, **named)
        except StopIteration as error:
            raise self._no_end() from error
        if state_of(target).is_class and is_stand_in(result):
            state_of(result).constructed = True
        return result

    def _left(self, target: StandIn, kind: Any, error: Any, trace: Any) -> Any:
        """The end of a `with` block of the test's; it can't hide that an assertion failed or was never come to."""
        hidden = self.ask("__exit__", target, kind, error, None)
        if error is None or not hidden:
            return hidden
        own = isinstance(error, AssertionError) and not self.objects.is_theirs(error)
        lost = (own and "AssertionError" not in self.tests) or self.assertions.lost_in_block(error, _line_of_test())
        return not lost

    def _operated(self, target: StandIn, special: str, arguments: tuple[Any, ...]) -> Any:
        """What an operator gives. An object that no class of the test's choice made gives no value of the test's, and
        what comes out of it and a value of the test's says nothing of itself: a difference could say that it is 0."""
        state = state_of(target)
        states = [state_of(one) for one in (target, *arguments) if is_stand_in(one)]
        with_value = len(states) <= len(arguments)
        constructed = any(one.constructed and not (with_value and _may_be_a_value(one, special)) for one in states)
        if with_value and not constructed and not state.operated and state.base in _IMMUTABLE:
            method = getattr(state.base, special, None)
            return NotImplemented if method is None else method(self._base(target), *arguments)
        result = self.ask(special, target, *arguments)
        if result is NotImplemented:
            return result
        if is_stand_in(result):
            state_of(result).constructed = constructed
            state_of(result).operated = not constructed and (with_value or any(one.operated for one in states))
        elif not constructed and (arguments or state.operated):
            raise TypeError(f"an operator of {state.name} must give an object of the program's")
        return result

    def _base(self, target: StandIn) -> Any:
        """The plain value of an object that is one. Raises TypeError."""
        value = self.ask("base", target)
        if type(value) is not state_of(target).base:
            raise TypeError(f"{state_of(target).name} isn't what it says")
        return value

    def _compare(self, target: StandIn, special: str, other: Any) -> Any:
        state = state_of(target)
        if is_stand_in(other) and (special == "__eq__" or not (state.operated or state_of(other).operated)):
            result = self.ask(special, target, other)
            return result if result is NotImplemented else result is True
        if state.base is not None and not state.operated and not is_stand_in(other):
            return getattr(state.base, special)(self._base(target), other)
        return NotImplemented

    def _contains(self, target: StandIn, wanted: Any) -> bool:
        state = state_of(target)
        if is_stand_in(wanted):
            return self.ask("__contains__", target, wanted) is True
        if state.base is not None:
            return wanted in self._base(target)
        if not hasattr(type(target), "__iter__"):
            raise TypeError(f"{state.name} can't be gone through: only that says what is in it")
        return any(one is wanted or one == wanted for one in target)  # type: ignore[attr-defined]


def _steers(target: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether it is what `unittest` runs its tests by, beyond the assertions."""
    case = getattr(sys.modules.get("unittest"), "TestCase", None)
    if case is None or not arguments or not isinstance(target, case):
        return False
    return hasattr(case, str(arguments[0])) and not str(arguments[0]).startswith("assert")


def is_class(value: Any, name: str) -> bool:
    """Whether a test uses it as a class: it is one, and is called like one."""
    return state_of(value).kind == "class" and name[:1].isupper()


def _may_answer(state: State, name: str) -> bool:
    """Whether an object may say so: what a class of the test's choice made. What one of its methods gave back, which
    may be the object itself, and its attributes may only where they aren't taken for a text or a set."""
    return state.constructed and (name in _OF_OTHERS or not (state.returned or state.of_class))


def _may_be_a_value(state: State, special: str) -> bool:
    """Whether what a class of the test's choice made is used as a number that the program gave; flags may be."""
    return special not in _OF_FLAGS if state.of_class else state.returned


def _line_of_test() -> int:
    """The line of the test that is being run."""
    frame: types.FrameType | None = sys._getframe()
    while frame and frame.f_code.co_filename != FILE:
        frame = frame.f_back
    return frame.f_lineno if frame else 0
