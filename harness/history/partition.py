"""Where an entry of the history lies: a folder for each suite and, in it, for each class of machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

LONGEST = 120
"""Characters of a folder's name that are spent on a suite's: file systems take 255 bytes."""


def partition(suite: str, machine_class: str) -> Path:
    """`suite=NAME/machine=CLASS`, which DuckDB and Arrow read as two columns."""
    return Path(f"suite={safe(suite)}") / f"machine={safe(machine_class)}"


def safe(name: str) -> str:
    """A name as one that every file system takes: what is no letter, digit, `-`, `_` or dot as `%XX`. What is longer
    than `LONGEST` is cut, with a hash of the whole."""
    quoted = quote(name, safe="", errors="backslashreplace").replace("~", "%7E")
    if quoted.startswith(".") or quoted.endswith("."):
        quoted = quoted.replace(".", "%2E")
    if len(quoted) > LONGEST:
        quoted = f"{quoted[:LONGEST].replace('%', '_')}-{hashlib.sha256(quoted.encode()).hexdigest()[:12]}"
    return quoted or "%"
