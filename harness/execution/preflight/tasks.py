"""Whether tasks can be asked at all: documents that can be read, with the columns that their templates name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.measures.task.foreseen import why_none_is_asked
from harness.measures.task.settings import TaskSettings
from harness.suite.where_named import where_named


def check_tasks(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Tasks of which no document can be asked: the cells that ask them fail."""
    asking: dict[TaskSettings, list[PlannedCell]] = {}
    for item in items:
        if isinstance(item.cell.typed, TaskSettings):
            asking.setdefault(item.cell.typed, []).append(item)
    for settings, cells in asking.items():
        if (why := why_none_is_asked(plan.library, settings)) is not None:
            yield Impossible(where_named(plan.suite, cells[0].cell.measure, settings.task), why, tuple(cells))
