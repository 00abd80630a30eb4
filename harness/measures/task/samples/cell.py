"""What the first row tells of the whole cell: its tasks and groups, what failed, and the texts of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from harness import strict_json
from harness.tasks.config import GroupConfig


@dataclass(frozen=True)
class Group:
    """A group of tasks in the cell, as its file declares it: see `GroupConfig`."""

    group: str
    """Its name."""
    file: str
    group_alias: str | None
    members: tuple[str, ...]
    """Names of tasks, and of groups within."""
    aggregate: tuple[Mapping[str, Any], ...]
    """How its tasks are summed up."""
    metadata: Mapping[str, Any]

    @classmethod
    def declared(cls, config: GroupConfig) -> Group:
        """The same without pydantic."""
        plain = config.model_dump(mode="json")
        return cls(**plain | {"members": config.members, "aggregate": tuple(plain["aggregate"])})


@dataclass(frozen=True)
class ToldTask:
    """What is kept of a task, so that a run can be written in lm-eval's format without the task's file."""

    config: Mapping[str, Any]
    """Its configuration as lm-eval writes it."""
    version: Any
    shots: int
    documents: int
    """Of the split that is asked."""
    generation: Mapping[str, Any]
    """How answers are written; empty where none are."""


@dataclass(frozen=True)
class CellFacts:
    """What one row tells of all."""

    groups: tuple[Group, ...]
    """That which was asked for first, then those within."""
    tasks: Mapping[str, ToldTask]
    """By name; those that failed are not here."""
    context: int
    """Tokens that the model could see at once."""
    whole_documents: bool
    """Whether it saw every document at once."""
    failed: Mapping[str, str]
    """Tasks of which no document could be asked, and why."""
    pieces: Mapping[int, str]
    """The text of every token id that stands in the rows: a stored run can be read without its tokenizer."""


def groups_stored(groups: tuple[Group, ...]) -> str:
    """As JSON."""
    return strict_json.dumps([vars(group) for group in groups])


def groups_read(stored: str | None) -> tuple[Group, ...]:
    """What `groups_stored` gave."""
    found = [] if stored is None else strict_json.loads(stored)
    return tuple(
        Group(**each | {"members": tuple(each["members"]), "aggregate": tuple(each["aggregate"])})
        for each in (_known(Group, one) for one in found)
    )


def tasks_stored(tasks: Mapping[str, ToldTask]) -> str:
    """As JSON."""
    return strict_json.dumps({name: vars(task) for name, task in tasks.items()})


def tasks_read(stored: str | None) -> dict[str, ToldTask]:
    """What `tasks_stored` gave."""
    found = {} if stored is None else strict_json.loads(stored)
    return {name: ToldTask(**_known(ToldTask, one)) for name, one in found.items()}


def pieces_read(stored: str | None) -> dict[int, str]:
    """The texts of token ids, whose numbers JSON has as names."""
    return {} if stored is None else {int(token): text for token, text in strict_json.loads(stored).items()}


def _known(kind: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What this version knows of a stored mapping; what an older one lacks is empty."""
    return {field.name: stored.get(field.name) for field in fields(kind)}
