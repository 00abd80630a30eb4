"""What runs cells: cells in, answers out, wherever that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.execution.cell_cache import Evidence
from harness.execution.needs import PeaksNeed
from harness.execution.plan import PlannedCell
from harness.execution.requests import Refused
from harness.results.peaks import Peaks


@dataclass(frozen=True)
class Answered:
    """What came of running a cell: all that its launches collected, or why there is nothing."""

    item: PlannedCell
    answer: Evidence | Refused
    seconds: float = 0.0
    """Wall time of trying; 0 where it could not begin."""


class Executor(Protocol):
    """Runs cells, and prepares what they need where they run. Whatever happens to a cell, the others are run."""

    @property
    def models(self) -> Mapping[str, dict[str, Any]]:
        """Summaries of the models that are ready, by `Cell.trained_model`."""

    @property
    def peaks(self) -> Mapping[PeaksNeed, Peaks]:
        """The peaks that are known."""

    def look(self, items: Sequence[PlannedCell]) -> None:
        """Find the models and peaks of cells that are there already; nothing is run."""

    def run(self, items: Sequence[PlannedCell]) -> Iterator[Answered]:
        """Run cells in the best order; each is answered once, as it ends. Raises OSError where there is no room for a
        file."""

    def close(self) -> None:
        """End what is still running."""
