"""A suite's YAML, read, or a mapping in Python: every key is text and stands once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError, shown
from harness.yaml_files import document as yaml_document
from harness.yaml_files.document import MERGE, TEXT, Document, KeyPath, Language

DEEPEST = 100
"""Levels of a mapping in Python: one that holds itself has no end."""


def read_suite_file(path: Path) -> Document:
    """Read one YAML file. Raises UserError for a missing, unreadable or malformed file and for a key written twice."""
    return _checked(yaml_document.read_document(path, "a suite", _SUITE), str(path))


def parse_suite_text(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in every place."""
    return _checked(yaml_document.parse_document(text, name, _SUITE), name)


def document_of(data: Mapping[str, Any], name: str) -> Document:
    """A suite that is a mapping in Python as a document; `name` stands for the file in every place. Paths become text,
    tuples lists, and numbers of numpy plain ones. Raises UserError for a key that is no text and for what no suite
    holds."""
    document = Document(None)
    document.data = _plain(data, (), name, document.places)
    return _checked(document, name)


def _plain(value: Any, path: KeyPath, name: str, places: dict[KeyPath, str]) -> Any:
    places[path] = name
    here = ".".join(map(str, path)) or "the suite"
    if len(path) > DEEPEST:
        raise UserError(f"{here}: it is nested more than {DEEPEST} levels deep", place=name)
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise UserError(f"{here}: a key is text, and {shown(repr(wrong[0]))} is none", place=name)
        return {key: _plain(one, (*path, key), name, places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, (*path, number), name, places) for number, one in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if getattr(value, "shape", None) == ():  # of numpy
        value = value.item()
    if isinstance(value, str | int | float | bool | type(None)):
        return value
    raise UserError(
        f"{here}: a suite holds text, numbers, true and false, lists and mappings, not {shown(repr(value))}", place=name
    )


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
