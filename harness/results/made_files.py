"""Files of a run that were made of its cells: findings, outcomes, records, reports; the manifest has their sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.errors import UserError
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.manifest import UNCHECKED_VERSION, Manifest
from harness.results.run_folder import EXPECTATIONS, FINDINGS, content, first_line

Read = TypeVar("Read", bound=BaseModel)

_KINDS: dict[str, TypeAdapter[Any]] = {
    FINDINGS: TypeAdapter(list[Finding]),
    EXPECTATIONS: TypeAdapter(list[ExpectationOutcome]),
}
"""What is in those that are read again."""


def names(folder: Path, manifest: Manifest) -> list[str]:
    """The files that there should be, and those that are read though the manifest does not name them."""
    read = [name for name in _KINDS if (folder / name).exists()]
    return list(dict.fromkeys([*manifest.files, *read]))


def why_not(folder: Path, name: str, manifest: Manifest) -> str | None:
    """Why a file is not believed; None where it is what the manifest says. Raises UserError where one that is read
    again can't be."""
    try:
        found = content(folder, name, f"write it again: harness report {folder}")
    except UserError as error:
        if name in _KINDS:
            raise
        return error.message
    if found is None:
        return "it is missing"
    if manifest.schema_version != UNCHECKED_VERSION:
        if name not in manifest.files:
            return "the manifest does not name it, as what wrote it did not end"
        if hashlib.sha256(found).hexdigest() != manifest.files[name]:
            return "it is damaged, its sha256 is another than when it was written"
    try:
        if name in _KINDS:
            _KINDS[name].validate_json(found)
    except ValidationError as error:  # an earlier version's, or one that somebody wrote with its checksum
        return f"it is not what belongs here ({first_line(error)})"
    return None


def read_list(folder: Path, name: str, kind: type[Read], manifest: Manifest) -> list[Read]:
    """What is in a list of findings or outcomes; nothing where the file is not believed."""
    if why_not(folder, name, manifest) is not None:
        return []
    found: list[Read] = TypeAdapter(list[kind]).validate_json((folder / name).read_bytes())  # type: ignore[valid-type]
    return found
