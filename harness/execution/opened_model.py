"""The model that a worker has open, and how a measure gets at its cell's model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Unsupported, UserError
from harness.execution.requests import Collect, Step

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel, ModelSource, Precision

BETWEEN_STEPS = 0.5
"""Seconds from one piece of news of a collection to the next."""


class CannotOpen(Exception):
    """The model can't be opened; the cause says why."""


class OpenedModel:
    """The model that is open; the next one replaces it."""

    def __init__(self) -> None:
        self._source: ModelSource | None = None
        self._model: LanguageModel | None = None

    def open(self, source: ModelSource) -> LanguageModel:
        """The model of `source`, opened now or already."""
        if self._model is None or source != self._source:
            from harness.models.open import open_model

            self._model = None
            try:
                self._model = open_model(source)
            except (UserError, Unsupported, MemoryError):
                raise
            except Exception as error:
                raise CannotOpen from error
            self._source = source
        return self._model


class Loader:
    """How a measure gets at its cell's model: see `harness.measures.measure.Load`."""

    def __init__(self, request: Collect, opened: OpenedModel, send: Callable[[Step], None]) -> None:
        self.source = request.source
        self.library = request.library
        self.unfinished = None if request.unfinished is None else Path(request.unfinished)
        self._send = send
        self._opened = opened
        self._beside = OpenedModel()
        self.asked = dict(request.asked)
        self._others = {name: OpenedModel() for name in self.asked}
        self._next = 0.0

    def tell(self, done: float, text: str) -> None:
        """Say how far the collection is; not more often than a person reads, as what is measured may be timed."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + BETWEEN_STEPS
            self._send(Step(done, text))

    def other(self, name: str) -> LanguageModel:
        """Another model that the measure asks, opened now or already; the cell's own, where it is that."""
        source = self.asked[name]
        if replace(source, name=self.source.name) == self.source:
            return self._opened.open(self.source)
        return self._others[name].open(source)

    def __call__(self, precision: Precision | None = None) -> LanguageModel:
        """The model, opened now or already; at another precision, beside it."""
        if precision is None or precision == self.source.precision:
            return self._opened.open(self.source)
        return self._beside.open(replace(self.source, precision=precision))
