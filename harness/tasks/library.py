"""Tasks by name: our own, and those of folders of task files in lm-evaluation-harness' format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.tasks.config import GroupConfig, TaskConfig
from harness.tasks.data import DataTable
from harness.tasks.task import Task

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

    def names(self) -> tuple[Named, ...]:
        """Every task, group and tag, in order of name."""
        raise NotImplementedError

    def open(self, name: str) -> Opened:
        """The task, group or tag of that name, or of a YAML file. Raises UserError with the nearest spelling."""
        raise NotImplementedError

    def config(self, name: str) -> TaskConfig:
        """The configuration of one task. Raises UserError."""
        raise NotImplementedError

    def digest(self, name: str) -> str:
        """Hash of all that determines what the tasks of this name ask. Raises UserError."""
        raise NotImplementedError

    def ensure(self, name: str) -> None:
        """Bring the tasks' data into reach. Raises UserError."""
        raise NotImplementedError
