"""The digest of a model folder: a hash of its weights, shape and tokenizer, remembered while its files stay."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.cache import cache_folder
from harness.errors import UserError

WHAT_COUNTS = ("*.safetensors", "*.bin", "*.json", "*.model", "*.txt", "*.jinja", "*.py")
"""Files that determine what a model computes; a README does not."""


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of the folder's files. UserError where it holds no model.

    Contents of big files are hashed once: the hash is kept in the cache by path, size and time of change.
    """
    files = sorted({path for pattern in WHAT_COUNTS for path in folder.glob(pattern) if path.is_file()})
    if not any(path.suffix in (".safetensors", ".bin") for path in files):
        raise UserError("this folder holds no weights (no *.safetensors or *.bin file)", place=str(folder))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + file_sha256(path).encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file, hashed again only when its size or time of change is another."""
    path = path.resolve()
    stat = path.stat()
    known_as = hashlib.sha256(str(path).encode()).hexdigest()
    memory = cache_folder("digests") / f"{known_as}.json"
    state = [str(path), stat.st_size, stat.st_mtime_ns]
    try:
        remembered = json.loads(memory.read_bytes())
        if remembered["state"] == state:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not remembered, or not readable: hash it
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    memory.write_text(json.dumps({"state": state, "sha256": found}))
    return found


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint's files are there and as long as its `checkpoint.json` says (their hashes are compared when
    it is opened): a trained model that was cut off is trained again."""
    try:
        files = json.loads((checkpoint / "checkpoint.json").read_bytes())["files"]
        return all((checkpoint / name).stat().st_size == entry["bytes"] for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
