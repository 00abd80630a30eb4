"""What a folder of task files says twice, and differently: a key in a file, a name in two files, a member in a group.

YAML takes the last value of a key and lm-eval the first file of a name, without a word. Mode lm-eval does the same; in
mode right it is a mistake that is told before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harness.input_file import bytes_of_file, path_beside
from harness.yaml_bounds import MOST_BYTES, compose

FREE = "metadata"
"""A key below which anything may stand: nothing reads it."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def keys_twice(file: Path, seen: set[Path] | None = None) -> list[str]:
    """A sentence with its line for every key of a file, or of one that it includes, that has two different values.
    seen: the files that were looked at so far."""
    seen = set() if seen is None else seen
    file = file.resolve()
    if file in seen or not file.is_file():
        return []
    seen.add(file)
    root = compose(bytes_of_file(file, MOST_BYTES, "a task file"), str(file), _Loader)
    if not isinstance(root, yaml.MappingNode):
        return []
    found = [
        f"{file}:{line}: the key '{key}' is written twice with different values; keep one" for key, line in _twice(root)
    ]
    for name, value in root.value:
        for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if name.value == "include" and isinstance(one, yaml.ScalarNode):
                found += keys_twice(path_beside(file.parent, one.value, str(file)), seen)
    return found


def members_twice(file: Path, group: str) -> list[str]:
    """A sentence for every name that stands twice in the list `task` of a group's file."""
    root = compose(bytes_of_file(file, MOST_BYTES, "a task file"), str(file), _Loader)
    found: list[str] = []
    for name, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if name.value != "task" or not isinstance(value, yaml.SequenceNode):
            continue
        names: set[str] = set()
        for one in value.value:
            if isinstance(one, yaml.ScalarNode) and one.value in names:
                line = one.start_mark.line + 1
                found.append(f"{file}:{line}: the group {group} names '{one.value}' twice; keep one")
            elif isinstance(one, yaml.ScalarNode):
                names.add(one.value)
    return found


def _twice(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """(key, line) of each second value."""
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _twice(inner)
    if not isinstance(node, yaml.MappingNode):
        return
    values: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value == FREE:
            continue
        if isinstance(key.value, str):
            if key.value in values and not _equal(values[key.value], value):
                yield key.value, key.start_mark.line + 1
            values[key.value] = value
        yield from _twice(value)


def _equal(a: yaml.Node, b: yaml.Node) -> bool:
    if a.tag != b.tag or type(a) is not type(b):
        return False
    if isinstance(a, yaml.ScalarNode):
        return bool(a.value == b.value)
    if isinstance(a, yaml.MappingNode):
        pairs = zip(a.value, b.value, strict=False)
        return len(a.value) == len(b.value) and all(_equal(k, m) and _equal(v, w) for (k, v), (m, w) in pairs)
    return len(a.value) == len(b.value) and all(map(_equal, a.value, b.value))
