"""What a folder of task files says twice, and differently: a key in a file, a name in two files, a member in a group.

YAML takes the last value of a key and lm-eval the first file of a name, without a word. Mode lm-eval does the same; in
mode right it is a mistake that is told before anything is asked.
"""

from __future__ import annotations

from pathlib import Path

from harness.input_file import path_beside
from harness.tasks.files.task_file import written_document

FREE = "metadata"
"""A key below which anything may stand: nothing reads it."""


def keys_twice(file: Path, seen: set[Path] | None = None) -> list[str]:
    """A sentence with its line for every key of a file, or of one that it includes, that has two different values.
    seen: the files that were looked at so far."""
    seen = set() if seen is None else seen
    file = file.resolve()
    if file in seen or not file.is_file():
        return []
    seen.add(file)
    document = written_document(file)
    found = [
        f"{twice.place}: the key '{twice.path[-1]}' is written twice with different values; keep one"
        for twice in document.repeated
        if twice.differs and FREE not in twice.path
    ]
    names = document.data.get("include") if isinstance(document.data, dict) else None
    for name in names if isinstance(names, list) else [names]:
        if isinstance(name, str):
            found += keys_twice(path_beside(file.parent, name, str(file)), seen)
    return found


def members_twice(file: Path, group: str) -> list[str]:
    """A sentence for every name that stands twice in the list `task` of a group's file."""
    document = written_document(file)
    listed = document.data.get("task") if isinstance(document.data, dict) else None
    found: list[str] = []
    names: set[str] = set()
    for number, name in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(name, str) and name in names:
            found.append(f"{document.place(('task', number))}: the group {group} names '{name}' twice; keep one")
        elif isinstance(name, str):
            names.add(name)
    return found
