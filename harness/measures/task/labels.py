"""What the labels of a task mean, by all of its data: how many examples are shown, or how many documents are asked,
changes no label's meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.tasks.prompts.document import label
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.labels import FROM_0, Labels, common, whole_number

if TYPE_CHECKING:
    from harness.measures.task.settings import TaskSettings
    from harness.tasks.ask import Row
    from harness.tasks.task import Task


def labels_of(task: Task, settings: TaskSettings, are_shown: bool, notes: list[str]) -> Labels:
    """What the labels of the split that is asked, of the examples' and of what these are slices of have in common.

    are_shown: whether there are few-shot examples. notes: gets what a reader of the numbers must know. Raises UserError
    where the labels are ambiguous, or where the split that is asked can't be read.
    """
    config = task.config
    if settings.mode == "lm-eval" or Templates.examples(config).choices is None:
        return FROM_0
    found = common(_labeled(task, are_shown))
    if found.ambiguous is not None and config.process_results is None:
        raise UserError(found.ambiguous, place=f"{config.file}:doc_to_target")
    if found.noteworthy:
        notes.append(
            f"{config.task}: labels count from 1 (none is 0, one is the number of choices), so 1 is the first choice"
        )
    return found


def _labeled(task: Task, are_shown: bool) -> Iterator[tuple[str, Any, list[str]]]:
    """(which document, its label, its choices). What a number means is said by others: where no document that is asked
    or shown has one, nothing else is read."""
    asked, examples = Templates.asked(task.config), Templates.examples(task.config)
    sides: list[tuple[Templates, Callable[[], list[Row]], str, bool]] = [
        (examples, lambda: task.shot_rows().rows, "example ", are_shown),
        (asked, task.whole_rows, "unsliced ", False),
        (examples, task.whole_shot_rows, "unsliced example ", False),
    ]
    are_numbers = False
    for one in _of(task, asked, task.evaluation_rows(), ""):
        are_numbers = are_numbers or _has_number(one)
        yield one
    for templates, read, what, is_used in sides:
        if not is_used and not are_numbers:
            continue
        rows = _there(read)
        if rows is task.evaluation_rows() and templates == asked:
            continue
        for one in _of(task, templates, rows, what):
            are_numbers = are_numbers or _has_number(one)
            yield one


def _of(task: Task, templates: Templates, rows: list[Row], what: str) -> Iterator[tuple[str, Any, list[str]]]:
    task.foresee(templates.functions, rows)
    for number, row in enumerate(rows):
        which = f"{what}document {number}"
        if (found := label(templates, templates.own(row), which, task.function)) is not None:
            yield which, *found


def _has_number(labeled: tuple[str, Any, list[str]]) -> bool:
    told = labeled[1]
    return any(whole_number(one) is not None for one in (told if isinstance(told, list) else [told]))


def _there(read: Callable[[], list[Row]]) -> list[Row]:
    """The rows, or none where they can't be read: who needs them is told when they are drawn."""
    try:
        return read()
    except UserError:
        return []
