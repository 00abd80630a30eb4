"""The suite that a one-liner stands for, as a file that gives the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError, no_room
from harness.whole_file import write_whole


def suite_yaml(suite: Mapping[str, Any], command: str = "") -> str:
    """A suite as YAML, in the order in which it is written. command: what it stands for, told in the first line."""
    head = f"# {' '.join(command.split())}\n" if command else ""
    return head + yaml.safe_dump(dict(suite), sort_keys=False, width=110, allow_unicode=True)


def save_suite(suite: Mapping[str, Any], path: Path, command: str = "") -> None:
    """Write a suite as a file. Raises UserError where there is another file already, and where it can't be written."""
    text = suite_yaml(suite, command)
    if path.exists() and (path.is_dir() or path.read_bytes() != text.encode()):
        raise UserError("something is there already; name another file, or remove it", place=str(path))
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}; make it, or name another file", place=str(path))
    try:
        write_whole(path, text)
    except OSError as error:
        if no_room(error) is not None:
            raise
        why = error.strerror or type(error).__name__
        raise UserError(f"can't be written ({why}); name another file", place=str(path)) from None
