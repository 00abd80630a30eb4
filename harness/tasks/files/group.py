"""What a group consists of: its members, theirs, and what each group puts over the keys of the tasks in it.

A member is the name of a task, group or tag; a mapping with `task` (that one, with keys put over its own, or a task
that is written out here) or with `group` (another group, or one that is written out here). What is written out
here is called `GROUP::NAME`, as in lm-eval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks.config import GroupConfig, TaskConfig
from harness.tasks.files.index import Entry
from harness.tasks.files.task_file import (
    GROUP_KEYS,
    REFUSED,
    TaskFile,
    group_config,
    read_task_file,
    task_config,
    with_includes,
)


@dataclass
class Members:
    """The tasks and groups within a group, each by its name; outer groups stand before inner ones."""

    tasks: dict[str, TaskConfig] = field(default_factory=dict)
    groups: dict[str, GroupConfig] = field(default_factory=dict)


def gather(source: TaskFile, entries: Mapping[str, Entry]) -> Members:
    """Everything in the group that a file declares. `entries`: all names that are known. Raises UserError."""
    members = Members()
    _group(str(source.keys["group"]), source.keys, source, {}, entries, members, ())
    return members


def _group(
    name: str,
    keys: Mapping[str, Any],
    source: TaskFile,
    overrides: Mapping[str, Any],
    entries: Mapping[str, Entry],
    members: Members,
    chain: tuple[str, ...],
) -> str:
    """Add a group and all in it; `overrides` come from the groups around it and win. Gives its name."""
    if name in chain:
        raise UserError(f"a group is in itself: {' -> '.join((*chain, name))}", place=str(source.file))
    inner = {key: value for key, value in keys.items() if key not in GROUP_KEYS} | dict(overrides)
    listed = keys.get("task") or []
    if not isinstance(listed, list):
        raise UserError(f"`task` of the group {name} is a list of names", place=source.place("task"))
    members.groups[name] = group_config(source, keys, name, ())  # keeps its place before the groups within
    found: list[str] = []
    for item in listed:
        found += _member(name, item, source, inner, entries, members, (*chain, name))
    members.groups[name] = members.groups[name].model_copy(update={"members": tuple(dict.fromkeys(found))})
    return name


def _member(
    group: str,
    item: Any,
    source: TaskFile,
    overrides: Mapping[str, Any],
    entries: Mapping[str, Entry],
    members: Members,
    chain: tuple[str, ...],
) -> list[str]:
    """Add what one entry of `task` names; gives the names of what was added."""
    keys = {"task": item} if isinstance(item, str) else item
    if not isinstance(keys, dict) or not ("group" in keys or isinstance(keys.get("task"), str)):
        refused = next(
            (f"; `{key}`: {why}" for key, why in REFUSED.items() if isinstance(keys, dict) and key in keys), ""
        )
        raise UserError(
            f"a member of the group {group} is a name, or a mapping with `task` or `group`{refused}",
            place=source.place("task"),
        )
    name = str(keys["group"] if "group" in keys else keys["task"])
    over = dict(overrides) | {key: value for key, value in keys.items() if key not in GROUP_KEYS}
    entry = entries.get(name)
    if entry is None and "group" in keys:
        return [_group(f"{group}::{name}", keys, source, overrides, entries, members, chain)]
    if entry is None:
        return [_written_out(group, name, keys, source, over, entries, members)]
    if entry.kind == "group":
        inner = read_task_file(Path(entry.file))
        return [_group(name, inner.keys, inner, over, entries, members, chain)]
    if entry.kind == "class":
        raise UserError(f"`class`: {REFUSED['class']} (it is in the group {group})", place=entry.file)
    alone = {key: value for key, value in keys.items() if key in ("task_alias", "tag", "metadata")}
    if entry.kind == "tag":
        return [_add(group, _read(task, entries, over, source), members) for task in entry.tasks]
    return [_add(group, _read(name, entries, over | alone, source), members)]


def _written_out(
    group: str,
    name: str,
    keys: Mapping[str, Any],
    source: TaskFile,
    over: Mapping[str, Any],
    entries: Mapping[str, Entry],
    members: Members,
) -> str:
    if set(keys) == {"task"} or not over:
        raise UserError(
            f"the group {group} names '{name}', and there is no such task, group or tag{nearest(name, entries)}",
            place=source.place("task"),
        )
    named = {key: keys[key] for key in ("metadata", "tag") if key in keys} | {"task": f"{group}::{name}"}
    own = {**over, **named}
    written = TaskFile(source.file, own, {key: source.place(key) for key in own})
    return _add(group, task_config(with_includes(written)), members)


def _read(name: str, entries: Mapping[str, Entry], over: Mapping[str, Any], by: TaskFile) -> TaskConfig:
    entry = entries[name]
    if entry.kind == "class":
        raise UserError(f"`class`: {REFUSED['class']}", place=entry.file)
    return task_config(read_task_file(Path(entry.file)).overridden(over, by))


def _add(group: str, config: TaskConfig, members: Members) -> str:
    """Add a task. The same task with other keys (in another group within this one) gets a name of its own."""
    if members.tasks.setdefault(config.task, config) != config:
        config = config.model_copy(update={"task": f"{group}::{config.task}"})
        members.tasks[config.task] = config
    return config.task
