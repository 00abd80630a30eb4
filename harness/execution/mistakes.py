"""What is found to be wrong with a suite while it is planned: collected, so that all of it is told together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError
from harness.promises import PluginFailed
from harness.suite.load import LoadedSuite
from harness.suite.mistakes import in_order
from harness.yaml_files.document import KeyPath

_OF_THE_SUITE = re.compile(r"(models|measures|matrix|calls)\.|asset |task ")
"""Places that a path of the suite says better."""


class Mistakes:
    """Mistakes of one suite, each at its place."""

    def __init__(self, loaded: LoadedSuite) -> None:
        self._loaded = loaded
        self.sentences: list[str] = []

    def add(self, path: KeyPath, sentence: str) -> None:
        """Note one."""
        self.sentences.append(self._loaded.told(path, sentence))

    @contextmanager
    def at(self, path: KeyPath) -> Iterator[None]:
        """In the block, a UserError is a mistake at a path of the suite, and the work goes on after the block. One that
        names another key of the same entry (`models.nano.train`) is told there. Raises PluginFailed."""
        try:
            yield
        except PluginFailed:
            raise  # it is no mistake of the suite: its cells say so
        except UserError as error:
            place = error.place or ""
            entry = ".".join(map(str, path[:2])) + "."
            if place.startswith(entry):
                path = (
                    *path[:2],
                    *(int(one) if one.isdecimal() else one for one in place.removeprefix(entry).split(".")),
                )
            name = place.removeprefix("text ")
            if not place or _OF_THE_SUITE.match(place) or name in error.message:
                name = ""
            self.add(path, f"{name}: {error.message}" if name else error.message)

    def refuse(self) -> None:
        """Raises UserError where there are any."""
        if self.sentences:
            raise UserError("\n".join(in_order(self.sentences)))
