"""What a run tells while it goes: plain events, so that a terminal, a notebook or a log can show them its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.results.record import CellResult
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


@dataclass(frozen=True)
class CellStarted:
    """A cell (or one launch of it) has begun."""

    cell: Cell
    launch: int
    launches: int


@dataclass(frozen=True)
class CellGoing:
    """A cell that takes long says how far it is."""

    cell: Cell
    done: float
    """Between 0 and 1."""
    text: str
    """What the last number was."""


@dataclass(frozen=True)
class CellEnded:
    """A cell has ended, one way or another."""

    cell: Cell
    result: CellResult


Event = Planned | Preparing | CellStarted | CellGoing | CellEnded
OnEvent = Callable[[Event], None]


def unheard(event: Event) -> None:
    """Nobody listens."""
