"""A `Load` for tests of measures: the model is open already, and what is told is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.models.contract import ModelSource
from harness.tasks.files.library import TaskLibrary


class Loaded:
    """A `Load` that opens nothing: the model is there. Tasks are those of a folder."""

    def __init__(self, model: Any, folder: Path, unfinished: Path | None = None) -> None:
        self._model = model
        self.source = ModelSource("m", "reference", "", "d")
        self.library = TaskLibrary((str(folder),))
        self.unfinished = unfinished
        self.told: list[str] = []

    def __call__(self, precision: Any = None) -> Any:
        return self._model

    def tell(self, done: float, text: str) -> None:
        self.told.append(text)
