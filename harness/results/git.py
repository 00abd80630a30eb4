"""Running git: one way, which runs nothing that a repository's configuration asks for.

No hooks, no file system monitor, no prompt; nothing is fetched and no lock is taken to look. A repository that git does
not trust (`safe.directory`) says nothing, and counts as none.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SECONDS = 120
_SETTINGS = (f"core.hooksPath={os.devnull}", "core.fsmonitor=false", "core.untrackedCache=false")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}


def git_command(folder: Path, *words: str) -> list[str]:
    """The command line, for who runs it another way (to check out files, which may have to be fetched)."""
    return ["git", "-C", str(folder), *(word for setting in _SETTINGS for word in ("-c", setting)), *words]


def git_output(
    folder: Path, *words: str, given: bytes = b"", environment: Mapping[str, str] | None = None, seconds: int = SECONDS
) -> bytes | None:
    """What a command says; None where it fails. given: its input. environment: in the place of this process's."""
    env = {**(os.environ if environment is None else environment), **_ENVIRONMENT}
    try:
        done = subprocess.run(
            git_command(folder, *words), input=given, capture_output=True, timeout=seconds, env=env, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def git_text(folder: Path, *words: str, given: str = "") -> str:
    """The same as a text; empty where it fails."""
    return (git_output(folder, *words, given=given.encode()) or b"").decode("utf-8", "replace")
