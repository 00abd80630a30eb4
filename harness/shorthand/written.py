"""The suite that a one-liner stands for, as a file that gives the same numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError, no_room
from harness.execution.preflight.checked_plan import checked_suite
from harness.models.in_memory import KEY
from harness.suite.load import load_suite
from harness.whole_file import write_whole


def suite_yaml(suite: Mapping[str, Any], command: str = "") -> str:
    """A suite as YAML, in the order in which it is written. command: what it stands for, told in the first line."""
    head = f"# {' '.join(command.split())}\n" if command else ""
    return head + yaml.safe_dump(dict(suite), sort_keys=False, width=110, allow_unicode=True)


def save_suite(suite: Mapping[str, Any], path: Path | str | None, command: str = "") -> None:
    """Write a suite as a file, where one is named. Raises UserError for what is no suite, or has a model in memory,
    where there is another file already, and where it can't be written; then with every mistake of the suite."""
    if path is None:
        return
    path = Path(path)
    text = suite_yaml(suite, command)
    if why := _why_not_there(path, text):
        mistakes = [*_mistakes_of(suite), str(UserError(why, place=str(path)))]
        raise UserError("\n".join(mistakes))
    load_suite(suite)
    if here := [name for name, entry in suite["models"].items() if KEY in entry]:
        raise UserError(f"{here[0]} is in memory, where no file finds it: save the model, and name its folder",
                        place=str(path))  # fmt: skip
    try:
        write_whole(path, text)
    except OSError as error:
        if no_room(error) is not None:
            raise
        why = error.strerror or type(error).__name__
        raise UserError(f"can't be written ({why}); name another file", place=str(path)) from None


def _why_not_there(path: Path, text: str) -> str | None:
    """Why a suite of this text can't be written there; None where it can be tried."""
    if path.exists() and (path.is_dir() or path.read_bytes() != text.encode()):
        return "something is there already; name another file, or remove it"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}; make it, or name another file"
    if not os.access(path.parent, os.W_OK):
        return f"the folder {path.parent} can't be written to; name another file"
    return None


def _mistakes_of(suite: Mapping[str, Any]) -> list[str]:
    """What else is wrong, so that nobody has to ask twice."""
    try:
        checked_suite(suite)
    except UserError as error:
        return str(error).split("\n")
    return []
