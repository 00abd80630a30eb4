"""The digest of a model folder: a hash of its weights, shape and tokenizer, remembered while its files stay."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.models.checkpoint_files import why_no_weights

WHAT_COUNTS = (
    *("*.safetensors", "*.bin", "*.json", "*.model", "*.tiktoken", "*.txt", "*.py"),
    *("*.jinja", "additional_chat_templates/*.jinja"),
)
"""Files that determine what a model computes; a README does not."""


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of the folder's files. UserError where it holds no model.

    Contents of big files are hashed once: the hash is kept in the cache by path, size and time of change.
    """
    files = sorted({path for pattern in WHAT_COUNTS for path in folder.glob(pattern) if path.is_file()})
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(why_no_weights(folder), place=str(folder))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + file_sha256(path).encode())
    return digest.hexdigest()


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint's files are there and as long as its `checkpoint.json` says (their hashes are compared when
    it is opened): a trained model that was cut off is trained again."""
    try:
        files = json.loads((checkpoint / "checkpoint.json").read_bytes())["files"]
        return all((checkpoint / name).stat().st_size == entry["bytes"] for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
