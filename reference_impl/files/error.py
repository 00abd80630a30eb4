"""The one error of files that can't be read."""

from __future__ import annotations

import os


class TextError(ValueError):
    """A file that is not what its name says: names the place, what is wrong and the fix."""

    def __init__(self, place: str | os.PathLike[str], message: str) -> None:
        self.place = os.fspath(place)
        self.message = message
        super().__init__(f"{self.place}: {message}")
