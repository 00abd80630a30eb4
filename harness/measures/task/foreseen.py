"""Why none of a task's documents can be asked, as far as its own files tell: found before a model is opened.

Looked at are documents in files of this machine, of task files that aren't ours, and without code of their own; where
documents are named by their numbers, how many there are of every task whose data are here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import Unsupported, UserError

if TYPE_CHECKING:
    from harness.measures.task.settings import TaskSettings
    from harness.tasks.files.library import TaskLibrary
    from harness.tasks.task import Task

MOST_TASKS = 100
"""Of a group: of a larger one, nothing is looked at."""
MOST_BYTES = 8 << 20
"""Of a split's files: to be read in a moment."""
LOOKED_AT = 50
"""Documents, evenly spaced: where the templates fail for all of these, they fail for all."""


def why_none_is_asked(library: TaskLibrary, settings: TaskSettings) -> str | None:
    """The first reason, where every task has one; None where documents can be asked, or it is not known."""
    from harness.measures.task.documents import prepared

    tasks = prepared(library.open(settings.task), settings)
    if len(tasks) > MOST_TASKS:
        return None
    first = None
    for task in tasks:
        reason = _why_none(task, settings)
        if reason is None:
            return None
        first = first or reason
    return first


def _why_none(task: Task, settings: TaskSettings) -> str | None:
    """Why none of a task's documents can be asked."""
    from harness.measures.task.document_choice import chosen
    from harness.measures.task.documents import why_not_asked

    file = str(task.config.file)
    if settings.document_ids is not None and (why := _why_not_there(task, settings, file)) is not None:
        return why
    if not _is_looked_at(task):
        return None
    try:
        rows = task.evaluation_rows()
        if not rows:
            raise UserError(f"there is no document to ask in split '{task.evaluation_split}'", place=file)
        places = chosen(len(rows), settings.documents, settings.document_ids, settings.mode, file)
        spaced = list(places)[:: max(1, len(places) // LOOKED_AT)]
        reasons = why_not_asked(task, settings, [(number, rows[number]) for number in spaced])
    except UserError as error:
        return str(error)
    except Unsupported:
        return None
    return str(reasons[0]) if reasons and None not in reasons else None


def _why_not_there(task: Task, settings: TaskSettings, file: str) -> str | None:
    """Which of the documents that are named the task does not have, one of ours too; None where it has them, or how
    many it has can't be known in a moment."""
    from harness.measures.task.document_choice import chosen

    if not task.is_made_here and ((size := task.bytes_here) is None or size > MOST_BYTES):
        return None
    try:
        chosen(len(task.evaluation_rows()), None, settings.document_ids, settings.mode, file)
    except UserError as error:
        return str(error)
    except Unsupported:
        return None
    return None


def _is_looked_at(task: Task) -> bool:
    from harness.tasks.code.functions import functions_of

    if task.is_shipped or task.config.custom_dataset is not None or any(True for _ in functions_of(task.config)):
        return False
    size = task.bytes_here
    return size is not None and size <= MOST_BYTES
