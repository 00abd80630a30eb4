"""The sha256 of a file, remembered while the file stays as it is: big files are read once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness import strict_json
from harness.cache import cache_folder
from harness.whole_file import write_whole


def file_sha256(path: Path) -> str:
    """sha256 of a file, hashed again only when its size or time of change is another."""
    path = path.resolve()
    stat = path.stat()
    memory = cache_folder("digests") / f"{hashlib.sha256(str(path).encode()).hexdigest()}.json"
    state = [str(path), stat.st_size, stat.st_mtime_ns]
    try:
        remembered = json.loads(memory.read_bytes())
        if remembered["state"] == state:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not remembered, or not readable: hash it
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    write_whole(memory, strict_json.dumps({"state": state, "sha256": found}))
    return found
