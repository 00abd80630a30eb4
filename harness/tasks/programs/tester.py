"""The process that runs a task's test on a program in another process, and alone says how the program did.

What comes from the program can't act here: values are copied as plain ones, and an object is a stand-in that never says
itself whether it equals a value of the test's. When the candidate is gone the test ends at once, whatever it catches.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
import types
from typing import Any

from harness.tasks.programs.candidate import OWN_FRAMES
from harness.tasks.programs.channel import Channel, Gone
from harness.tasks.programs.names import looked_up, task_helpers
from harness.tasks.programs.objects import is_pure, text_of
from harness.tasks.programs.peer import Peer
from harness.tasks.programs.stand_ins import ARITHMETIC, StandIn, is_stand_in, state_of

_OPERATORS = ARITHMETIC | {"__neg__", "__pos__", "__invert__"}
_ORDER = frozenset({"__lt__", "__le__", "__gt__", "__ge__"})
_NUMBERS = frozenset(
    [
        "__bool__", "__int__", "__float__", "__complex__", "__index__", "__round__", "__trunc__", "__floor__",
        "__ceil__", "__abs__", "__hash__",
    ]
)  # fmt: skip
_PREDICATES = frozenset(
    [
        "startswith", "endswith", "issubset", "issuperset", "isdisjoint", "is_integer", "isalnum", "isalpha",
        "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace",
        "istitle", "isupper",
    ]
)  # fmt: skip
_ASKED_OF_ITERATORS = frozenset({"send", "throw", "close"})
_PUBLIC_SPECIAL = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})


class Tester(Peer):
    """Uses the program's objects, and lends it those of the test's that the test hands over."""

    def __init__(self, channel: Channel, verdict: int) -> None:
        super().__init__(channel)
        self._verdict = verdict

    def end(self, status: str, reason: str = "", gone: bool = False) -> None:
        """Say how the program did, and end this process."""
        os.write(
            self._verdict,
            json.dumps({"status": status, "reason": reason[:300], "gone": gone}, allow_nan=False).encode("ascii"),
        )
        os._exit(0)

    def ask(self, operation: str, target: Any, *arguments: Any, **named: Any) -> Any:
        """Ask the program; where it can't answer any more the test is over."""
        predicate = operation == "get" and arguments[0] in _PREDICATES and is_stand_in(target)
        if predicate and not state_of(target).constructed:
            raise AttributeError(f"the test asks an object of the program's whether it `{arguments[0]}`")
        try:
            return super().ask(operation, target, *arguments, **named)
        except Gone as error:
            self.end("failed", str(error), gone=True)

    def accepts(self, module: str, name: str) -> bool:
        """Modules, and what computes with values alone."""
        return is_pure(module, name)

    def may(self, operation: str, target: Any, arguments: tuple[Any, ...]) -> bool:
        """What the test has handed over may be called and gone through; objects of its own classes, looked into."""
        if not self.objects.is_own(target) or operation in ("run", "start", "name"):
            return False
        if operation not in ("get", "set", "del", "copy", "deepcopy"):
            return True
        of_test = type(target).__module__ == "__main__" or isinstance(target, io.StringIO | io.BytesIO)
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
        state = state_of(target)
        if special == "__call__":
            result = self.ask("call", target, *arguments, **named)
            if state.kind == "class" and state.name[:1].isupper() and is_stand_in(result):
                state_of(result).constructed = True
            return result
        if special == "__eq__" or special in _ORDER:
            return self._compare(target, special, arguments[0])
        if special == "__contains__":
            return self._contains(target, arguments[0])
        if state.operated and special in _NUMBERS:
            raise TypeError(f"{state.name} and a value of the test's give an object that is no number of the test's")
        result = self.ask(special, target, *arguments, **named)
        theirs_alone = all(is_stand_in(one) and not state_of(one).operated for one in (target, *arguments))
        if theirs_alone or special not in _OPERATORS or result is NotImplemented:
            return result
        if not is_stand_in(result):
            raise TypeError(f"{state.name} and a value of the test's must give an object of the program's")
        state_of(result).operated = True
        return result

    def _compare(self, target: StandIn, special: str, other: Any) -> Any:
        state = state_of(target)
        if is_stand_in(other) and (special == "__eq__" or not (state.operated or state_of(other).operated)):
            result = self.ask(special, target, other)
            return result if result is NotImplemented else result is True
        if state.base is not None and not is_stand_in(other):
            return getattr(state.base, special)(self.ask("base", target), other)
        return NotImplemented

    def _contains(self, target: StandIn, wanted: Any) -> bool:
        state = state_of(target)
        if is_stand_in(wanted):
            return self.ask("__contains__", target, wanted) is True
        if state.base is not None:
            return wanted in self.ask("base", target)
        if not hasattr(type(target), "__iter__"):
            raise TypeError(f"{state.name} can't be gone through: only that says what is in it")
        return any(one is wanted or one == wanted for one in target)  # type: ignore[attr-defined]


class _Globals(dict[str, Any]):
    """The test's names; what the program calls plain values is asked for each time, since it may change."""

    def __init__(self, tester: Tester) -> None:
        super().__init__(__name__="__main__", __builtins__=__builtins__)
        self.tester = tester
        self.of_program: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if name not in self.of_program:
            raise KeyError(name)
        return self.tester.ask("name", None, name)


class _Module(types.ModuleType):
    """What `unittest` finds as `__main__`."""

    def __init__(self, names: _Globals) -> None:
        super().__init__("__main__")
        self.__dict__["_names"] = names

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__["_names"]
        if name not in names:
            raise AttributeError(name)
        return names[name]

    def __dir__(self) -> list[str]:
        return list(self.__dict__["_names"])


def main(order: str, reading: int, writing: int, verdict: int) -> None:
    """Run the test that an order holds (JSON: `tests`, `given`), say how the program did, and end."""
    sys.setrecursionlimit(sys.getrecursionlimit() + OWN_FRAMES)
    sys.argv[:] = ["tests.py"]
    tester = Tester(Channel(reading, writing), verdict)
    try:
        _run(tester, **json.loads(order))
    except MemoryError:
        tester.end("memory", "MemoryError")
    except SystemExit as error:
        if error.code or not _is_of_unittest(error):
            tester.end("failed", f"SystemExit: {text_of(error)}")
    except BaseException as error:
        tester.end("failed", f"{type(error).__name__}: {text_of(error)}")
    tester.end("passed")


def _is_of_unittest(error: SystemExit) -> bool:
    """Whether it is the end of the test's own `unittest.main()`, and nobody else's."""
    modules = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return modules[-1] == "unittest.main" and set(modules[2:]) == {
        "__main__",
        "unittest.main",
    }  # past `main` and `_run`


def _run(tester: Tester, tests: str, given: str) -> None:
    names = looked_up(tests)
    own = _Globals(tester)
    sys.modules["__main__"] = _Module(own)
    found = tester.ask("start", None, list(names.of_program))
    exec(compile(task_helpers(given), "given.py", "exec"), own)
    for name, module in names.modules.items():
        if name not in own:
            __import__(module)
            own[name] = sys.modules[module]
    for name, value in found.items():
        if name in own or name not in names.of_program:
            continue
        if tester.objects.is_theirs(value) or callable(value) or isinstance(value, types.ModuleType):
            own[name] = value
        else:
            own.of_program.add(name)
    exec(compile(tests, "tests.py", "exec"), own)
