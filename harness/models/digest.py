"""The digest of a model folder: a hash of its weights, shape and tokenizer, remembered while its files stay."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import UserError, told
from harness.file_digest import FileState, file_sha256, file_state
from harness.models.bounded_files import refuse_no_file
from harness.models.checkpoint_files import why_no_weights

WHAT_COUNTS = (
    *("*.safetensors", "*.bin", "*.json", "*.model", "*.tiktoken", "*.txt", "*.py"),
    *("*.jinja", "additional_chat_templates/*.jinja"),
)
"""Files that determine what a model computes; a README does not."""


def folder_digest(folder: Path, at_most: float | None = None) -> str:
    """sha256 over the names and contents of the folder's files. UserError where it holds no model.

    Contents of big files are hashed once and remembered: see `harness.file_digest`. at_most: seconds for which a memory
    is believed.
    """
    files = _files(folder)
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(why_no_weights(folder), place=str(folder))
    digest = hashlib.sha256()
    for path in files:
        try:
            refuse_no_file(path)
            content = file_sha256(path, at_most)
        except OSError as error:
            raise UserError(
                f"this file can't be read ({error.strerror}): copy the model again", place=str(path)
            ) from None
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content.encode())
    return digest.hexdigest()


def folder_state(folder: Path) -> dict[str, FileState]:
    """Which files a model folder's digest is of, by name, each with its state: another file has another."""
    return {path.relative_to(folder).as_posix(): file_state(path) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    try:
        return sorted({path for pattern in WHAT_COUNTS for path in folder.glob(pattern) if path.is_file()})
    except OSError as error:
        raise UserError(
            f"this folder can't be read ({error.strerror}): copy the model again", place=str(folder)
        ) from None


def why_not_whole(checkpoint: Path) -> str | None:
    """Why a checkpoint is not as its `checkpoint.json` says, by the hashes of its files; None where it is."""
    try:
        files = json.loads((checkpoint / "checkpoint.json").read_bytes())["files"]
        for name, entry in files.items():
            path = checkpoint / name
            if path.stat().st_size != entry["bytes"]:
                return f"{name} has another size than when it was written"
            if file_sha256(path) != entry["sha256"]:
                return f"the sha256 of {name} is another than when it was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return told(error)
    return None


def hash_of(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(strict_json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
