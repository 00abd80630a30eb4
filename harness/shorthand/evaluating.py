"""`harness eval`: models and tasks -> the suite that asks them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.errors import UserError, WrongArgument, shown
from harness.input_file import why_no_path
from harness.mode import Mode
from harness.spelling import nearest
from harness.suite.schema.suite import Tasks
from harness.tasks.data.source import keys_of_data
from harness.tasks.files.library import TaskLibrary

FILES = (".yaml", ".yml")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Which models are asked what, and how. What is left out is as the task files, or the measure `task`, have it."""

    tasks: Sequence[str]
    """Tasks, groups, tags, patterns of task names, task files and folders of these."""
    shots: Sequence[int] = ()
    limit: float | None = None
    """Documents of each task; below 1 a share of them."""
    document_ids: Mapping[str, str] = field(default_factory=dict)
    """Which documents by task, as '3, 7, 10-19'; those of all tasks under ''."""
    precision: Sequence[str] = ()
    device: str | None = None
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Of the tasks that write answers; the others are asked without."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    chat: bool = False
    multi_turn: bool = True
    chat_template_args: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    context: int | None = None
    shot_seed: int | None = None
    sample_seed: int | None = None
    mode: Mode = "right"
    tasks_path: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    """Where a task's documents lie, by its `dataset_path`."""
    task_code: bool = False
    """Whether a task file may be a Python class: needed to read it."""


def evaluation_suite(models: Mapping[str, Mapping[str, Any]], asked: Evaluation) -> dict[str, Any]:
    """The suite that asks models of these entries. Raises UserError where no task is named, and for a list of documents
    of a task that isn't asked."""
    tasks = _tasks(asked)
    if not (asked.chat or asked.multi_turn):
        raise WrongArgument("turns are the chat template's: ask for it (`chat`), or leave this out", place="multi_turn")
    matrix = {"precision": list(asked.precision), "device": asked.device}
    folders = {"paths": list(asked.tasks_path), "data": dict(asked.data)}
    _refuse_idle_data(asked, tasks)
    suite = {
        "name": _name(list(models)),
        "models": {name: dict(entry) for name, entry in models.items()},
        "matrix": {axis: given for axis, given in matrix.items() if given},
        "measures": [{"task": entry} for entry in _entries(asked, tasks)],
        "tasks": {key: given for key, given in folders.items() if given},
    }
    return {key: part for key, part in suite.items() if part}


def _library(asked: Evaluation) -> TaskLibrary:
    folders = Tasks.model_validate({"paths": list(asked.tasks_path), "data": dict(asked.data)})
    return TaskLibrary(tuple(folders.paths), folders.data, allow_task_code=asked.task_code)


def _tasks(asked: Evaluation) -> list[str]:
    """Every name and file, once; a folder that is no task's name stands for its task files, a pattern of files for
    those that it finds."""
    found: list[str] = []
    for text in (part.strip() for one in asked.tasks for part in str(one).split(",")):
        if (why := why_no_path(text)) is not None:
            raise UserError(why, place="--tasks")
        path = Path(text).expanduser()
        if text and path.is_dir() and text not in {named.name for named in _library(asked).names()}:
            files = sorted(str(file) for ending in FILES for file in path.glob(f"*{ending}"))
            if not files:
                raise UserError(f"there are no task files (*.yaml) in the folder '{shown(text)}'", place="--tasks")
            found += files
        elif text.endswith(FILES) and set(text) & set("*?["):
            files = sorted(map(str, Path(path.anchor or ".").glob(str(path.relative_to(path.anchor)))))
            if not files:
                raise UserError(f"no file is called like '{shown(text)}'", place="--tasks")
            found += files
        elif text and path.is_file() and not text.endswith(FILES):
            raise UserError(f"'{shown(text)}' is no task file: its name ends in .yaml (docs/tasks.md)", place="--tasks")
        elif text:
            found += _like(text, asked)
    if not found:
        raise UserError("name the tasks, such as `--tasks arc_easy,hellaswag`; `harness list tasks` shows all",
                        place="--tasks")  # fmt: skip
    return list(dict.fromkeys(found))


def _refuse_idle_data(asked: Evaluation, tasks: list[str]) -> None:
    """Raises UserError for data of a `dataset_path` that no task reads: the task would fetch its own. Tasks that can't
    be opened are told of later."""
    if not asked.data:
        return
    library, read = _library(asked), set[str]()
    for name in tasks:
        try:
            read |= {key for task in library.open(name).tasks for key in keys_of_data(task.config)}
        except UserError:
            return
    there = f"they read: {', '.join(sorted(read)[:10])}" if read else "their files name where their own lie"
    for key in asked.data:
        if key not in read:
            raise UserError(
                f"no task that is asked reads '{shown(key)}'{nearest(key, sorted(read))}; {there}", place="--data"
            )


def _like(text: str, asked: Evaluation) -> list[str]:
    """The groups and tags that a pattern finds, as in lm-eval, then the tasks that are in none of them. The name itself
    where it is no pattern, and a pattern that finds tasks alone."""
    if not set(text) & set("*?["):
        return [text]
    library = _library(asked)
    named = [one for one in library.names() if fnmatchcase(one.name, text)]
    if text in {one.name for one in named} or all(one.kind == "task" for one in named):
        return [text]
    outer = {one.name: library.open(one.name) for one in named if one.kind in ("group", "tag")}
    within = {group.group for what in outer.values() for group in what.groups[1:]}
    tasks = {task.name for what in outer.values() for task in what.tasks}
    return [*(name for name in outer if name not in within),
            *(one.name for one in named if one.kind == "task" and one.name not in tasks)]  # fmt: skip


def _entries(asked: Evaluation, tasks: list[str]) -> list[dict[str, Any]]:
    """An entry of the measure `task` for all tasks that are asked in the same way."""
    if strangers := [name for name in asked.document_ids if name and name not in tasks]:
        raise UserError(f"documents of '{shown(strangers[0])}' are chosen, which is none of the tasks that are asked; "
                        f"there are: {', '.join(map(shown, tasks))}", place="--document-ids")  # fmt: skip
    writing = _writing(asked, tasks)
    entries: list[dict[str, Any]] = []
    for task in tasks:
        own = _how(asked)
        if ids := asked.document_ids.get(task, asked.document_ids.get("")):
            own["document_ids"] = ids
        if task in writing:
            own["generation"] = dict(asked.generation)
        same = next((entry for entry in entries if {**entry, "task": None} == {"task": None, **own}), None)
        if same is None:
            entries.append({"task": [task], **own})
        else:
            same["task"].append(task)
    for entry in entries:
        if len(entry["task"]) == 1:
            entry["task"] = entry["task"][0]
    return entries


def _how(asked: Evaluation) -> dict[str, Any]:
    shots, limit = list(asked.shots), asked.limit
    how: dict[str, Any] = {
        "shots": shots[0] if len(shots) == 1 else shots or None,
        "documents": int(limit) if limit is not None and not 0 < limit < 1 and limit == limit // 1 else limit,
        "chat": asked.chat or None,
        "multi_turn": None if asked.multi_turn else False,
        "chat_template_args": dict(asked.chat_template_args) or None,
        "system": asked.system,
        "context": asked.context,
        "metadata": dict(asked.metadata) or None,
        "shot_seed": asked.shot_seed,
        "sample_seed": asked.sample_seed,
        "mode": None if asked.mode == "right" else asked.mode,
    }
    return {name: value for name, value in how.items() if value is not None}


def _writing(asked: Evaluation, tasks: list[str]) -> set[str]:
    """The tasks that `generation` is for: those that write answers. All of them where none does, which is refused where
    the tasks are read. Raises UserError for an unknown task."""
    if not asked.generation:
        return set()
    library = _library(asked)
    write = {
        name for name in tasks if any(task.config.output_type == "generate_until" for task in library.open(name).tasks)
    }
    return write or set(tasks)


def _name(models: list[str]) -> str:
    """What the run's folder is called after."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(["eval", *models[:1]]))[:60]
