"""The process that runs the text of a model: it knows neither the tests nor the harness, only what it is asked."""

from __future__ import annotations

import enum
import signal
import sys
import types
from typing import Any

from harness.tasks.programs.channel import Channel
from harness.tasks.programs.objects import is_pure
from harness.tasks.programs.peer import Peer

OWN_FRAMES = 40
"""How many calls of ours are below the program's first: it may nest as many as elsewhere."""


class Candidate(Peer):
    """Answers with the program's objects, or with the exception that ended the program."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.module = types.ModuleType("program")
        self.failure: BaseException | None = None
        self._constructed: list[Any] = []

    def offers(self, module: str, name: str) -> bool:
        """Modules, and what computes with values alone."""
        return is_pure(module, name)

    def keeps(self, value: Any) -> bool:
        """What a test made by calling a class stays an object of that class."""
        return any(value is one for one in self._constructed)

    def run(self, text: str) -> None:
        """Run the program as a module of its own; what it raises is kept."""
        sys.modules["program"] = self.module
        self.module.__dict__["__file__"] = "program.py"
        try:
            exec(compile(text, "program.py", "exec"), self.module.__dict__)
        except BaseException as error:  # SystemExit too: who leaves before the tests has passed none
            self.failure = error

    def do(self, operation: str, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """One operation, of which two are about the program as a whole."""
        if operation == "start":
            if self.failure is not None:
                raise self.failure
            return {name: self.module.__dict__[name] for name in arguments[0] if name in self.module.__dict__}
        if operation == "name":
            return self.module.__dict__[arguments[0]]
        result = super().do(operation, target, arguments, named)
        if operation == "call" and isinstance(target, type) and not isinstance(target, enum.EnumMeta):
            self._constructed.append(result)
        return result


def main(text: str, reading: int, writing: int) -> None:
    """Run a program, and answer what a tester asks about it, until that ends."""
    sys.setrecursionlimit(sys.getrecursionlimit() + OWN_FRAMES)
    sys.argv[:] = ["program.py"]
    candidate = Candidate(Channel(reading, writing))
    candidate.run(text)
    candidate.serve()
    signal.pause()  # until it is looked at and ended
