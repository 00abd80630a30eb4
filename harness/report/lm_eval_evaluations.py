"""The tasks of a run as lm-eval parts them: those of one model at one point of its axes and settings, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UserError
from harness.measures.task.samples import columns
from harness.measures.task.samples.cell import Group as DeclaredGroup
from harness.measures.task.samples.cell import ToldTask
from harness.measures.task.samples.frames import by_task, documents
from harness.measures.task.summary import estimated, groups_of
from harness.report.lm_eval_samples import Line, sample_lines
from harness.results.record import CellResult, Status
from harness.results.run import Run
from harness.results.samples import reading_samples
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.group_scores import summarize_group

_EVERY_CELL = ("task",)


@dataclass(frozen=True)
class Task:
    """A task of one results file."""

    told: ToldTask
    spec: Mapping[str, Any]
    """How it is summed up."""
    lines: Sequence[Line]
    estimates: Sequence[Estimate]


@dataclass(frozen=True)
class Group:
    """A group of tasks of one results file."""

    declared: DeclaredGroup
    tasks: Sequence[str]
    """All in it, through the groups within."""
    estimates: Sequence[Estimate]


@dataclass
class Evaluation:
    """What one results file holds."""

    cell: CellResult
    """The first of its cells: they differ in their task alone."""
    seconds: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)


def evaluations(run: Run) -> Iterator[Evaluation]:
    """Of every cell of the measure `task` that ended well. Raises UserError where samples hold no documents."""
    found: dict[str, list[Evaluation]] = {}
    for cell in run.cells:
        if cell.measure != "task" or cell.status is not Status.OK or run.why_no_samples(cell) is not None:
            continue
        settings = {name: value for name, value in cell.settings.items() if name not in _EVERY_CELL}
        alike = found.setdefault(repr((cell.model, cell.axes, settings)), [])
        with reading_samples(run.samples_file(cell)):
            tasks, groups = _of_cell(run, cell)
        fits = (one for one in alike if not one.tasks.keys() & tasks.keys() and not one.groups.keys() & groups.keys())
        into = next(fits, None)
        if into is None:
            into = Evaluation(cell)
            alike.append(into)
        into.tasks |= tasks
        into.groups |= groups
        into.seconds += cell.seconds
    yield from (one for alike in found.values() for one in alike)


def _of_cell(run: Run, cell: CellResult) -> tuple[dict[str, Task], dict[str, Group]]:
    samples = run.samples_of(cell)
    if not columns.ROW.is_in(samples):
        raise UserError(
            "its samples were stored by an earlier version and hold no documents; run the suite again", place=run.name
        )
    every = columns.TASKS.first(samples)
    tasks: dict[str, Task] = {}
    for name, frame in by_task(samples):
        spec = columns.SPEC.first(frame)
        lines = list(sample_lines(list(documents(frame)), every[name], spec))
        tasks[name] = Task(every[name], spec, lines, estimated(frame, spec)[0])
    mode = str(cell.settings.get("mode"))
    groups: dict[str, Group] = {}
    declared = {group.group: group for group in columns.GROUPS.first(samples)}
    for name, members, aggregate in groups_of(samples, str(cell.settings["task"]), list(tasks)):
        if name in declared and all(member in tasks for member in members):  # a part of a group is another number
            inside = {member: tasks[member].estimates for member in members}
            scores = summarize_group(aggregate, inside, mode="lm-eval" if mode == "lm-eval" else "right")
            groups[name] = Group(declared[name], list(inside), scores)
    return tasks, groups
