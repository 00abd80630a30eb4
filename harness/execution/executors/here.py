"""Cells of models that live in this process run in it, one after the other, each in one launch; all others go to the
executor beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from harness.execution.events import CellGoing, CellStarted, OnEvent
from harness.execution.executor import Answered
from harness.execution.executors.local import LocalExecutor, answered
from harness.execution.needs import PeaksNeed
from harness.execution.plan import PlannedCell
from harness.execution.requests import Collect, Collected, Refused
from harness.models.registry import adapter_of
from harness.notice import remarks_to
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks
from harness.tasks.files.library import TaskLibrary


class HereExecutor:
    """One run's cells: in this process, or by `others`."""

    def __init__(
        self, others: LocalExecutor, machine: Fingerprint, library: TaskLibrary, log: Path, on_event: OnEvent
    ) -> None:
        """log: takes what libraries print meanwhile, as of workers."""
        self._log = log
        self._others = others
        self._machine = machine
        self._library = library
        self._on_event = on_event

    @property
    def models(self) -> Mapping[str, dict[str, Any]]:
        """See `Executor.models`."""
        return self._others.models

    @property
    def peaks(self) -> Mapping[PeaksNeed, Peaks]:
        """See `Executor.peaks`."""
        return self._others.peaks

    def look(self, items: Sequence[PlannedCell]) -> None:
        """See `Executor.look`."""
        self._others.look(items)

    def run(self, items: Sequence[PlannedCell]) -> Iterator[Answered]:
        """See `Executor.run`."""
        here = [item for item in items if adapter_of(item.source.kind).in_process]
        if here:
            from harness.execution.opened_model import OpenedModel

            opened = OpenedModel()
            for item in here:
                yield self._others.known(item) or self._answered(item, opened)
        if others := [item for item in items if item not in here]:
            yield from self._others.run(others)

    def close(self) -> None:
        """See `Executor.close`."""
        self._others.close()

    def _answered(self, item: PlannedCell, opened: Any) -> Answered:
        began = time.monotonic()
        self._on_event(CellStarted(item.cell, 1, 1))
        return answered(item, [self._collected(item, opened)], time.monotonic() - began)

    def _collected(self, item: PlannedCell, opened: Any) -> Collected | Refused:
        from harness.execution.opened_model import CannotOpen
        from harness.execution.serve import collect, refusal

        what = (item.cell.measure, item.cell.typed, item.source, self._library)
        request = Collect(*what, read=item.read, machine=self._machine, asked=item.asked_sources)
        try:
            with chatter_to(self._log):
                return collect(request, opened, lambda step: self._on_event(CellGoing(item.cell, step.done, step.text)))
        except KeyboardInterrupt:
            raise
        except CannotOpen as error:
            assert error.__cause__ is not None
            return refusal(error.__cause__, "opening the model")
        except BaseException as error:  # whatever a model raises is a record with its reason
            return refusal(error, f"measuring {item.cell.measure}")


@contextmanager
def chatter_to(log: Path) -> Iterator[None]:
    """In the block, what is printed goes to a file."""
    with (
        log.open("a", encoding="utf-8", errors="backslashreplace") as file,
        redirect_stdout(file),
        redirect_stderr(file),
        remarks_to(file),
    ):
        yield
