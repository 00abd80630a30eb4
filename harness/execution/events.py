"""What a run tells while it goes: plain events, so that a terminal, a notebook or a log can show them its own way.

Each is a line as text, so `on_event=print` is enough to watch a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.results.record import CellResult, Status
from harness.suite.cells import Cell


@dataclass(frozen=True)
class Planned:
    """The run is about to start: how much there is to do."""

    folder: str
    cells: int
    done: int
    """Cells that this run folder has already (a resumed run)."""
    cached: int
    """Cells whose results are known from earlier runs."""
    seconds: Mapping[Cell | str, float | None] = field(default_factory=dict)
    """What each cell that is left would take by estimate (see `harness.execution.estimate`), and each thing that is
    prepared for them, by its `Preparing.what`; None where nobody can tell. What is known takes nothing and is not
    here."""

    def __str__(self) -> str:
        known = f", {self.done + self.cached} known" if self.done + self.cached else ""
        return f"{self.cells} cell{'' if self.cells == 1 else 's'}{known} -> {self.folder}"


@dataclass(frozen=True)
class Preparing:
    """Something that cells need is being fetched, trained or measured."""

    what: str
    done: float
    """Between 0 and 1; 1 when it is ready."""
    text: str = ""
    """What the last number was."""
    sample: str = ""
    """What a model that is trained writes now, where it has just been asked."""

    def __str__(self) -> str:
        return f"{self.what}: {self.done:.0%}  {self.text}".rstrip()


@dataclass(frozen=True)
class CellStarted:
    """A cell (or one launch of it) has begun."""

    cell: Cell
    launch: int
    launches: int

    def __str__(self) -> str:
        return self.cell.title + (f": launch {self.launch} of {self.launches}" if self.launches > 1 else "")


@dataclass(frozen=True)
class CellGoing:
    """A cell that takes long says how far it is."""

    cell: Cell
    done: float
    """Between 0 and 1."""
    text: str
    """What the last number was."""

    def __str__(self) -> str:
        return f"{self.cell.title}: {self.done:.0%}  {self.text}".rstrip()


@dataclass(frozen=True)
class CellEnded:
    """A cell has ended, one way or another."""

    cell: Cell
    result: CellResult

    def __str__(self) -> str:
        said = self.result.reason if self.result.status is not Status.OK else self.result.source
        return f"{self.cell.title}: {self.result.status}, {said}"


Event = Planned | Preparing | CellStarted | CellGoing | CellEnded
OnEvent = Callable[[Event], None]


def unheard(event: Event) -> None:
    """Nobody listens."""
