"""Tasks by name: our own, and those of folders of task files in lm-evaluation-harness' format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from harness import strict_json
from harness.errors import UserError, shown
from harness.input_file import why_no_path
from harness.spelling import nearest, nearest_words
from harness.tasks.config import GroupConfig, TaskConfig
from harness.tasks.data.source import DataTable
from harness.tasks.files import task_file
from harness.tasks.files.class_task import class_config
from harness.tasks.files.group import Members, gather
from harness.tasks.files.index import Entry, Index, read_index
from harness.tasks.files.written_twice import keys_twice, members_twice
from harness.tasks.task import SHIPPED, Task

Kind = Literal["task", "group", "tag"]


@dataclass(frozen=True)
class Named:
    """One row of a list of tasks."""

    name: str
    kind: Kind
    file: str
    """Where it is declared; of a tag: the first file that carries it."""


@dataclass(frozen=True)
class Opened:
    """What a name stands for."""

    name: str
    kind: Kind
    tasks: tuple[Task, ...]
    """Every task in it, once each; of a task: itself."""
    groups: tuple[GroupConfig, ...] = ()
    """Of a group: itself first, then the groups within, whose `members` are names of `tasks` or of `groups`."""
    notes: tuple[str, ...] = ()
    """What the user should know, such as a name that two files declare; a sentence each."""


@dataclass(frozen=True)
class TaskLibrary:
    """Where tasks are looked for, and what they may do. Sees the folders as they are when it's first asked."""

    paths: tuple[str, ...] = ()
    """Folders of task files (later ones override earlier ones); our own tasks are always there."""
    data: DataTable = field(default_factory=dict, hash=False)
    """Where the documents of a `dataset_path` (or `dataset_path/dataset_name`) lie on this machine."""
    allow_task_code: bool = False
    """Whether Python of task files may judge answers, make data sets and import what it likes."""
    allow_code_execution: bool = False
    """Whether code that a model wrote may be run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return TaskLibrary, (self.paths, dict(self.data), self.allow_task_code, self.allow_code_execution)

    def names(self) -> tuple[Named, ...]:
        """Every task, group and tag, in order of name. Raises UserError where a path is no folder."""
        return tuple(
            Named(name, "task" if entry.kind == "class" else entry.kind, entry.file)
            for name, entry in sorted(self._entries.items())
        )

    def open(self, name: str) -> Opened:
        """The task, group or tag of that name, of a YAML file, or of a pattern of task names such as `blimp_*`.

        Raises UserError: for an unknown name with the nearest spelling, for a task file with what is wrong in it.
        """
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> Opened:
        entry = self._entry(name)
        if entry.kind == "group":
            source = task_file.read_task_file(Path(entry.file))
            members = gather(source, self._entries)
            if not members.tasks:
                raise UserError(
                    f"the group {shown(source.keys['group'])} has no tasks; list some under `task`",
                    place=source.place("task"),
                )
            return Opened(name, "group", self._tasks(members), tuple(members.groups.values()), self._notes(name))
        if entry.kind == "tag":
            return Opened(name, "tag", tuple(self._task(task) for task in entry.tasks), (), self._notes(name))
        config = self._config(entry)
        return Opened(config.task, "task", (self._of(config),), (), self._notes(name))

    def config(self, name: str) -> TaskConfig:
        """The configuration of one task. Raises UserError, also where the name is a group's or a tag's."""
        opened = self.open(name)
        if opened.kind != "task":
            tasks = [task.name for task in opened.tasks]
            shown = ", ".join(tasks[:10]) + (", …" if len(tasks) > 10 else "")
            raise UserError(f"is a {opened.kind} of {len(tasks)} tasks, no task: {shown}", place=f"task {name}")
        return opened.tasks[0].config

    def digest(self, name: str) -> str:
        """Hash of all that determines what the tasks of this name ask: their files as they were opened, their data as
        they are now. Raises UserError where no task has its data."""
        opened = self.open(name)
        opened = replace(opened, tasks=tuple(self._of(task.config) for task in opened.tasks))
        absent = [task.missing_data for task in opened.tasks]
        if all(absent) and absent[0] is not None:
            raise absent[0]
        groups = [group.model_dump(mode="json", exclude={"file", "metadata"}) for group in opened.groups]
        tasks = sorted([task.name, task.digest()] for task in opened.tasks)
        return hashlib.sha256(strict_json.dumps([groups, tasks], sort_keys=True, default=str).encode()).hexdigest()

    def made_with(self, name: str) -> dict[str, Any]:
        """By task, the versions of the packages that make prompts and scores, and what its code may do. UserError."""
        return {task.name: task.made_with() for task in self.open(name).tasks}

    def missing(self, name: str) -> str | None:
        """The packages that the tasks of this name need and that aren't installed, as a sentence; None where one of
        them can be asked. Raises UserError."""
        told = [task.missing for task in self.open(name).tasks]
        return told[0] if all(told) else None

    def ensure(self, name: str) -> None:
        """Bring the tasks' data into reach. Raises UserError where that fails for all of them: one costs the others
        nothing, and is told where its documents are read."""
        failed = []
        tasks = self.open(name).tasks
        for task in tasks:
            try:
                task.ensure()
            except UserError as error:
                failed.append(error)
        if failed and len(failed) == len(tasks):
            raise failed[0]

    def _tasks(self, members: Members) -> tuple[Task, ...]:
        return tuple(self._of(config) for config in members.tasks.values())

    def _task(self, name: str) -> Task:
        return self._of(self._config(self._entry(name)))

    def _config(self, entry: Entry) -> TaskConfig:
        source = task_file.read_task_file(Path(entry.file))
        return class_config(source, self.allow_task_code) if entry.kind == "class" else task_file.task_config(source)

    def _of(self, config: TaskConfig) -> Task:
        folders = tuple(_folder(path).absolute() for path in self.paths)
        return Task(config, self.data, self.allow_task_code, self.allow_code_execution, folders=folders)

    @cached_property
    def _opened(self) -> dict[str, Opened]:
        """What was opened so far: a plan asks for each name several times, and a group may have thousands of tasks."""
        return {}

    @cached_property
    def _indexes(self) -> tuple[Index, ...]:
        own = [SHIPPED] if SHIPPED.is_dir() else []
        return tuple(read_index(root) for root in [*own, *map(_folder, self.paths)])

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {name: entry for index in self._indexes for name, entry in index.entries.items()}

    def _entry(self, name: str) -> Entry:
        if name in self._entries:
            entry = self._entries[name]
        elif (why := why_no_path(name)) is not None:
            raise UserError(f"there is no such task, and no file of that name: {why}", place=f"task {shown(name)}")
        elif name.endswith((".yaml", ".yml")) and Path(name).expanduser().is_file():
            entry = _entry_of_file(Path(name).expanduser())
        elif matching := tuple(sorted(self._matching(name))):
            return Entry("tag", "", matching)
        else:
            raise UserError(self._unknown(name), place=f"task {name}")
        return entry

    def _matching(self, pattern: str) -> list[str]:
        if not set(pattern) & set("*?["):
            return []
        return [name for name, entry in self._entries.items() if entry.kind == "task" and fnmatchcase(name, pattern)]

    def _unknown(self, name: str) -> str:
        looked = ", ".join(self.paths) or "no folders beside our own tasks; name one with --tasks-path"
        unreadable = {file: why for index in self._indexes for file, why in index.unreadable.items()}
        broken = ""
        if unreadable:
            file, why = next(iter(unreadable.items()))
            broken = f"; {len(unreadable)} task files there can't be read, such as {file}: {why}"
        near = nearest(name, self._entries)
        others = nearest_words(name, self._entries)[1:]
        near += f" (also near: {', '.join(others)})" if near and others else ""
        return f"there is no task, group or tag '{name}'{near} (looked in {looked}{broken})"

    def said_twice(self, name: str, opened: Opened) -> list[str]:
        """What is said twice and differently in what `name` stands for, names and keys, with its place: in mode right
        a mistake. A file that was named by its path is meant, whatever else has its name."""
        by_path = opened.name if name not in self._entries and opened.kind != "tag" else None
        files = [(task.name, task.config.file) for task in opened.tasks]
        files += [(group.group, group.file) for group in opened.groups]
        told = [why for name, file in files if name != by_path for why in self._declared_twice(name, file)]
        told += [why for file in dict.fromkeys(file for _, file in files) for why in keys_twice(file)]
        told += [why for group in opened.groups for why in members_twice(group.file, group.group)]
        return list(dict.fromkeys(told))

    def _declared_twice(self, name: str, file: Path) -> Iterator[str]:
        """Other files of the user's that declare a name, in one folder or in two. A user's stands above one of ours."""
        mine = [index for index in self._indexes if index.root != SHIPPED.absolute() and name in index.entries]
        files = [index.entries[name].file for index in mine]
        files += [other for index in mine for other in index.shadowed.get(name, ())]
        there = list(dict.fromkeys(Path(one).resolve() for one in files))
        if len(there) > 1 and file.resolve() in there:
            yield f"{there[0]}: the name '{name}' is declared by {' and by '.join(map(str, there))}; rename one"

    def _notes(self, name: str) -> tuple[str, ...]:
        """Who else declares a name."""
        declared = [index.entries[name].file for index in self._indexes if name in index.entries]
        notes = [f"'{name}' of {other} is overridden by that of {declared[-1]}" for other in declared[:-1]]
        for index in self._indexes:
            for file in index.shadowed.get(name, ()):
                notes.append(f"'{name}' is declared twice: {index.entries[name].file} counts, {file} doesn't")
        return tuple(notes)


def _folder(path: str) -> Path:
    if (why := why_no_path(path)) is not None:
        raise UserError(f"{why}; name a folder of task files", place=shown(path))
    return Path(path).expanduser()


def _entry_of_file(file: Path) -> Entry:
    kind = task_file.kind(task_file.read_task_file(file).keys)
    if kind in ("task", "class"):
        return Entry("class" if kind == "class" else "task", str(file))
    if kind == "group":
        return Entry("group", str(file))
    raise UserError("declares no task and no group: it has neither `task` nor `group` with a name", place=str(file))
