"""A suite's YAML, read: every key is text and stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError
from harness.yaml_files import document as yaml_document
from harness.yaml_files.document import MERGE, TEXT, Document, KeyPath, Language


def read_suite_file(path: Path) -> Document:
    """Read one YAML file. Raises UserError for a missing, unreadable or malformed file and for a key written twice."""
    return _checked(yaml_document.read_document(path, "a suite", _SUITE), str(path))


def parse_suite_text(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in every place."""
    return _checked(yaml_document.parse_document(text, name, _SUITE), name)


def _checked(document: Document, name: str) -> Document:
    if not document.places:
        raise UserError("the file is empty; a suite needs at least `name`, `models` and `measures`", place=name)
    for twice in document.repeated:
        raise UserError(f"the key '{twice.path[-1]}' is written twice; keep one", place=twice.place)
    return document


def _key(node: yaml.Node, value: Any, path: KeyPath, place: str) -> str:
    if node.tag == MERGE:
        raise UserError("YAML merge keys (<<) are not read; use `include`", place=place)
    if path == ("models",) and node.tag != TEXT:
        raise UserError(
            f"YAML reads the model's name {node.value} as {value!r}, not as text; put it in quotes: '{node.value}'",
            place=place,
        )
    if not isinstance(value, str | int | float | bool):
        raise UserError("a key must be a word", place=place)
    return value if isinstance(value, str) else str(node.value)


_SUITE = Language(key=_key)
