"""The process that runs a task's test on a program in another process, and alone says how the program did.

When the candidate is gone the test ends at once, whatever it catches.
"""

from __future__ import annotations

import json
import sys
import traceback
import types
from typing import Any

from harness.tasks.programs.assertions import Assertions, catches_assertions
from harness.tasks.programs.candidate import OWN_FRAMES
from harness.tasks.programs.channel import Channel
from harness.tasks.programs.globals import AsMain, Globals
from harness.tasks.programs.names import looked_up, task_helpers
from harness.tasks.programs.objects import text_of
from harness.tasks.programs.stand_ins import is_stand_in, state_of
from harness.tasks.programs.tester import Tester, is_class


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
        if "skip" not in tester.tests and _skipped(error):
            tester.end("failed", "a test was skipped, and not by the test's text")
    except BaseException as error:
        tester.end("failed", f"{type(error).__name__}: {text_of(error)}")
    if tester.objects.awaits():
        tester.end("failed", "a program can't await a coroutine of the test's")
    if (lost := tester.assertions.lost()) is not None:
        tester.end("failed", lost)
    tester.end("passed")


def _skipped(error: SystemExit) -> bool:
    """Whether the test's `unittest.main()` passed over a test."""
    result = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1].f_locals["self"].result
    return bool(result.skipped)


def _is_of_unittest(error: SystemExit) -> bool:
    """Whether it is the end of the test's own `unittest.main()`, and nobody else's."""
    modules = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)]
    of_test = set(modules[2:])  # past `main` and `_run`
    return modules[-1] == "unittest.main" and of_test == {"__main__", "unittest.main"}


def _run(tester: Tester, tests: str, given: str) -> None:
    tester.tests, tester.assertions = tests, Assertions(tests)
    names = looked_up(tests)
    own = Globals(tester)
    sys.modules["__main__"] = AsMain(own)
    found = tester.ask("start", None, list(names.of_program))
    exec(compile(task_helpers(given), "given.py", "exec"), own)
    for name, module in names.modules.items():
        if name not in own:
            __import__(module)
            own[name] = sys.modules[module]
    for name, value in found.items():
        if name in own or name not in names.of_program:
            continue
        if catches_assertions(value):
            raise NameError(f"{name} would catch what the test itself says")
        if is_stand_in(value):
            state_of(value).is_class = is_class(value, name)
        if tester.objects.is_theirs(value) or callable(value) or isinstance(value, types.ModuleType):
            own[name] = value
        else:
            own.of_program.add(name)
    if "next" not in own and "next" not in own.of_program and "StopIteration" not in tests:
        own["next"] = _next
    exec(tester.assertions.compiled(own), own)


def _next(iterator: Any, *default: Any) -> Any:
    """Python's own, but for the end of an iterator, which ends no loop of the test's, such as one over `map`."""
    try:
        return next(iterator, *default)
    except StopIteration:
        if sys._getframe(1).f_code.co_name == "__next__":
            raise
        raise RuntimeError("there is no next one") from None
