"""`include`: a suite that builds on others. Later files win, key by key; lists are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.suite.document import read_suite_file
from harness.yaml_files.document import Document, KeyPath
from harness.yaml_files.includes import Includes, included_names

JOINED = ("measures", "analyse", "expect", "gate")
"""Lists that are joined rather than replaced."""
MOST_FILES = 200


def with_includes(document: Document, chain: tuple[Path, ...], includes: Includes | None = None) -> Document:
    """The document with every file of its `include` list merged underneath it.

    Paths are relative to the including file: the last of `chain`, after those that include it. includes: the files that
    were included so far. Raises UserError for a missing file, a circle, or too many files.
    """
    includes = includes or Includes(MOST_FILES)
    if not isinstance(document.data, dict) or "include" not in document.data:
        return document
    names = included_names(document.data["include"], document.place(("include",)))
    merged = Document({}, {})
    for path in includes.files(names, chain, lambda number: document.place(("include", number))):
        merged = _merge(merged, with_includes(read_suite_file(path), (*chain, path), includes))
    own = Document({key: value for key, value in document.data.items() if key != "include"}, document.places)
    return _merge(merged, own)


def _merge(under: Document, over: Document) -> Document:
    places: dict[KeyPath, str] = {**under.places}
    if not isinstance(over.data, dict):
        raise UserError("a suite is a mapping of keys", place=over.place(()))
    data = dict(under.data)
    for key, value in over.data.items():
        if key in JOINED and isinstance(value, list) and isinstance(data.get(key), list):
            shift = len(data[key])
            data[key] = [*data[key], *value]
            _move(places, over.places, key, shift)
        elif isinstance(value, dict) and isinstance(data.get(key), dict):
            data[key] = _merge_mappings(data[key], value)
            places.update({path: place for path, place in over.places.items() if path[:1] == (key,)})
        else:
            data[key] = value
            places = {path: place for path, place in places.items() if path[:1] != (key,)}
            places.update({path: place for path, place in over.places.items() if path[:1] == (key,)})
    places[()] = over.place(())
    return Document(data, places)


def _merge_mappings(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge_mappings(merged[key], value) if both else value
    return merged


def _move(places: dict[KeyPath, str], other: dict[KeyPath, str], key: str, shift: int) -> None:
    for path, place in other.items():
        if path[:1] == (key,) and len(path) > 1 and isinstance(path[1], int):
            places[(key, path[1] + shift, *path[2:])] = place
