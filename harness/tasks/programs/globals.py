"""The names that a task's test looks up: its own, and the program's."""

from __future__ import annotations

import types
from typing import Any

from harness.tasks.programs.peer import Peer


class Globals(dict[str, Any]):
    """The test's names; what the program calls plain values is asked for each time, since it may change."""

    def __init__(self, tester: Peer) -> None:
        super().__init__(__name__="__main__", __builtins__=__builtins__)
        self.tester = tester
        self.of_program: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if name not in self.of_program:
            raise KeyError(name)
        return self.tester.ask("name", None, name)


class AsMain(types.ModuleType):
    """What `unittest` finds as `__main__`."""

    def __init__(self, names: Globals) -> None:
        super().__init__("__main__")
        self.__dict__["_names"] = names

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__["_names"]
        if name not in names:
            raise AttributeError(name)
        return names[name]

    def __dir__(self) -> list[str]:
        return list(self.__dict__["_names"])
