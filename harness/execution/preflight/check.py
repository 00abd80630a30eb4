"""What a check is: from cells that are planned to the sentences on those that can't be measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.execution.plan import Plan, PlannedCell
from harness.yaml_files.document import KeyPath


@dataclass(frozen=True)
class Impossible:
    """Why some cells of a plan can't be measured, found before anything is loaded."""

    path: KeyPath
    """Where the suite says what is wrong."""
    sentence: str
    """What is wrong and how to fix it."""
    cells: tuple[PlannedCell, ...]
    skipped: bool = False
    """Whether model and measure don't fit each other: the cells are skipped. Else they fail."""


Check = Callable[[Plan, Sequence[PlannedCell]], Iterator[Impossible]]
"""(plan, the cells that would be measured) -> what is impossible. Quick: files are looked at, none is read whole."""
