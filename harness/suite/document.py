"""YAML that remembers where every key stood, so that an error can name file, line and key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError
from harness.input_file import bytes_of_file
from harness.yaml_bounds import MOST_BYTES, compose
from harness.yaml_errors import scalar

KeyPath = tuple[str | int, ...]


@dataclass
class Document:
    """Plain data, and for every path into it the `file:line` where it was written."""

    data: Any
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """`file:line` of the nearest enclosing thing that was written down."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return "suite"


def read_document(path: Path) -> Document:
    """Read one YAML file. Raises UserError for a missing, unreadable or malformed file and for a key written twice."""
    content = bytes_of_file(path, MOST_BYTES, "a suite")
    try:
        return parse_document(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError("this line is not UTF-8; save the file as UTF-8", place=f"{path}:{line}") from None


def parse_document(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in every place."""
    root = compose(text, name)
    if root is None:
        raise UserError("the file is empty; a suite needs at least `name`, `models` and `measures`", place=name)
    document = Document(None)
    document.data = _construct(root, (), name, document.places)
    return document


def _construct(node: yaml.Node, path: KeyPath, name: str, places: dict[KeyPath, str]) -> Any:
    places.setdefault(path, f"{name}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            here = f"{name}:{key_node.start_mark.line + 1}"
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise UserError("YAML merge keys (<<) are not read; use `include`", place=here)
            if not isinstance(key_node, yaml.ScalarNode):
                kind = "list" if isinstance(key_node, yaml.SequenceNode) else "mapping"
                raise UserError(f"a key must be a word, and this one is a {kind}", place=here)
            key = scalar(key_node, name)
            if path == ("models",) and key_node.tag != "tag:yaml.org,2002:str":
                word = key_node.value
                raise UserError(
                    f"YAML reads the model's name {word} as {key!r}, not as text; put it in quotes: '{word}'",
                    place=here,
                )
            if not isinstance(key, str | int | float | bool):
                raise UserError("a key must be a word", place=here)
            key = key if isinstance(key, str) else str(key_node.value)
            if key in mapping:
                raise UserError(f"the key '{key}' is written twice; keep one", place=here)
            places[(*path, key)] = here
            mapping[key] = _construct(value_node, (*path, key), name, places)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, index), name, places) for index, item in enumerate(node.value)]
    return scalar(node, name)
