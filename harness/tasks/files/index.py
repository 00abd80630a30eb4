"""Which names a folder of task files declares, remembered from one time to the next.

lm-eval's own folder has 14,000 files; reading them takes seconds, looking at their times of change a tenth of one.
What a file says of names (its task, group, tags, includes) is kept in the cache by its state (inode, size, times), and
is read again only where that differs. Includes are followed in memory afterwards: a changed template counts at once.
Paths are strings here: pathlib would take most of the second that is allowed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.errors import UserError
from harness.file_digest import FileState, file_state, state_of
from harness.tasks.files import task_file
from harness.yaml_files.includes import included_names

Kind = Literal["task", "group", "tag", "class"]
"""class: a task that is a Python class."""

_FORMAT = 2
_KEYS = ("task", "group", "tag", "class")
_MOST_FOLDERS, _DEEPEST = 50_000, 100
_IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})


@dataclass(frozen=True)
class Entry:
    """One name."""

    kind: Kind
    file: str
    """Where it is declared; of a tag: the first file that carries it."""
    tasks: tuple[str, ...] = ()
    """Of a tag: the tasks that carry it, in order of name."""


@dataclass(frozen=True)
class Index:
    """The names of a folder."""

    root: Path
    entries: dict[str, Entry]
    shadowed: dict[str, tuple[str, ...]]
    """Further files that declare a name; the first in order of path counts, as in lm-eval."""
    unreadable: dict[str, str]
    """Files that are no YAML, or whose include fails: why."""


class _Seen(NamedTuple):
    """What is remembered of a file."""

    state: FileState
    keys: dict[str, Any]
    """Those of `_KEYS` that it has (what a class and the tasks of a group are is left out), and `include` as a list of
    paths relative to the root."""
    error: str | None = None


def read_index(root: Path) -> Index:
    """The names that the task files below `root` declare. Raises UserError where that's no folder."""
    root = root.absolute()
    if not root.is_dir():
        raise UserError("no such folder; name a folder of task files", place=str(root))
    memory = cache_folder("task-index") / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.json"
    before = _remembered(memory, root)
    now: dict[str, _Seen] = {}
    folders: list[str] = []
    listed = sorted(_yaml_files(str(root), "", folders), key=lambda found: found[0])
    for path, state in listed:
        now[path] = _seen(str(root), path, state, before)
    waiting = [path for path, _ in listed]
    while waiting:  # what they include: often files without an ending, which the walk leaves out
        path = waiting.pop()
        for included in now[path].keys.get("include", ()):
            if included not in now and (found := _stat(str(root), included)):
                now[included] = _seen(str(root), included, found, before)
                waiting.append(included)
    if now != before:
        rows = {path: [seen.state, seen.keys, seen.error] for path, seen in now.items()}
        kept = strict_json.dumps({"format": _FORMAT, "root": str(root), "files": rows}, separators=(",", ":"))
        with contextlib.suppress(OSError):  # a cache that may only be read: the files are read each time
            kept_file.write_json(memory, kept)
    return _names(root, [path for path, _ in listed], now)


def _names(root: Path, listed: list[str], seen: dict[str, _Seen]) -> Index:
    """Who declares what, by lm-eval's rule: files in order of path, the first one that says a name has it."""
    merged: dict[str, dict[str, Any] | str] = {}
    kinds: dict[str, Kind] = {}
    files: dict[str, str] = {}
    tagged: dict[str, set[str]] = {}
    shadowed: dict[str, list[str]] = {}
    unreadable: dict[str, str] = {}
    for relative in listed:
        path = f"{root}{os.sep}{relative}"
        keys = _merged(relative, seen, merged, ())
        if isinstance(keys, str):
            unreadable[path] = keys
            continue
        kind = task_file.kind(keys)
        if kind is None:
            continue
        name = keys["group"] if kind == "group" else keys["task"]
        if name in kinds:
            shadowed.setdefault(name, []).append(path)
            continue
        kinds[name], files[name] = _KINDS[kind], path
        if kind == "group":
            continue
        for tag in task_file.tags(keys):
            if tag not in kinds:
                kinds[tag], files[tag] = "tag", path
            tagged.setdefault(tag, set()).add(name)
    entries = {
        name: Entry(kind, files[name], tuple(sorted(tagged.get(name, ()))) if kind == "tag" else ())
        for name, kind in kinds.items()
    }
    others = {name: tuple(paths) for name, paths in shadowed.items()}
    return Index(root, entries, others, unreadable)


_KINDS: dict[str, Kind] = {"task": "task", "group": "group", "class": "class"}


def _merged(
    path: str, seen: dict[str, _Seen], done: dict[str, dict[str, Any] | str], chain: tuple[str, ...]
) -> dict[str, Any] | str:
    """The remembered keys of a file with its includes underneath, or why that isn't possible."""
    if path in done:
        return done[path]
    if path not in seen:
        return f"the included file {path} does not exist"
    if path in chain:
        return f"include goes in a circle: {' -> '.join((*chain, path))}"
    one = seen[path]
    if one.error is not None:
        return one.error
    whole: dict[str, Any] = {}
    for included in one.keys.get("include", ()):
        under = _merged(included, seen, done, (*chain, path))
        if isinstance(under, str):
            return under
        whole |= under
    done[path] = whole | one.keys if whole else one.keys
    return done[path]


def _yaml_files(root: str, below: str, folders: list[str]) -> Iterator[tuple[str, FileState]]:
    """(path relative to the root, state) of every .yaml file. folders: gets those that were looked into. UserError."""
    folder = os.path.join(root, below)  # noqa: PTH118
    folders.append(folder)
    if below.count("/") > _DEEPEST:
        raise UserError(f"its folders are nested more than {_DEEPEST} deep", place=root)
    if len(folders) > _MOST_FOLDERS:
        raise UserError(f"has more than {_MOST_FOLDERS:,} folders in it; name the folder of your tasks", place=root)
    try:
        listed = os.scandir(folder)
    except OSError as error:
        raise UserError(f"can't be listed ({error.strerror})", place=folder) from None
    with listed as items:
        for item in items:
            path = f"{below}{item.name}"
            if item.name.endswith(".yaml"):
                with contextlib.suppress(OSError):  # a link to nowhere declares nothing
                    yield path, state_of(item.stat())
            elif item.is_dir(follow_symlinks=False) and item.name not in _IGNORED:
                yield from _yaml_files(root, f"{path}/", folders)


def _stat(root: str, path: str) -> FileState | None:
    try:
        return file_state(os.path.join(root, path))  # noqa: PTH118
    except (OSError, ValueError):  # what can't be a name: of a null character
        return None


def _seen(root: str, path: str, state: FileState, before: dict[str, _Seen]) -> _Seen:
    known = before.get(path)
    if known is not None and known.state == state:
        return known
    try:
        keys = task_file.own_keys(Path(root, path))
        included = included_names(keys.get("include"), path)
    except UserError as error:
        line = str(error.place or "").rpartition(":")[2]
        return _Seen(state, {}, f"line {line}: {error.message}" if line.isdigit() else error.message)
    kept = {key: _plain(keys[key]) for key in _KEYS if keys.get(key) is not None}
    if "class" in kept:
        kept["class"] = True
    if not isinstance(kept.get("task", ""), str):
        kept["task"] = []
    if included:
        folder = os.path.dirname(path)  # noqa: PTH120
        kept["include"] = [os.path.normpath(os.path.join(folder, name)) for name in included]  # noqa: PTH118
    return _Seen(state, kept)


def _plain(value: Any) -> Any:
    """A name or a list of names as JSON holds it; what is no text stays no name."""
    return value if isinstance(value, str) else list(map(str, value if isinstance(value, list) else [value]))


def _remembered(memory: Path, root: Path) -> dict[str, _Seen]:
    content = kept_file.kept_json(memory)
    if content is None:
        return {}  # not remembered, or damaged: read the files
    kept = json.loads(content)
    if kept["format"] != _FORMAT or kept["root"] != str(root):
        return {}
    return {path: _Seen(tuple(state), *row) for path, (state, *row) in kept["files"].items()}
