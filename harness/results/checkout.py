"""The commit of the working folder, and whether it has changes, without running what that folder asks for.

A folder's `.git/config` can name programs (`core.fsmonitor`, hooks, filters of files) that `git status` then runs. So
the commit is read from its files by hand, and git compares with a git folder of our own that borrows the other's
objects and index, and none of its configuration.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 1 << 24
"""Bytes of a file of references that we read."""


def git_state(folder: Path | None = None) -> dict[str, object]:
    """`commit` and `dirty` of the checkout that a folder (the working folder) lies in; nothing outside of one.

    `dirty` is left out where git isn't there or can't say.
    """
    try:
        found = _git_folder((folder or Path.cwd()).resolve())
        if found is None:
            return {}
        root, git = found
        common = _common(git)
        commit = _commit(git, common)
    except (OSError, ValueError):
        return {}
    if commit is None:
        return {}
    dirty = _is_dirty(root, git, common, commit)
    return {"commit": commit} if dirty is None else {"commit": commit, "dirty": dirty}


def _git_folder(folder: Path) -> tuple[Path, Path] | None:
    """The checkout's root and its git folder, upwards from a folder."""
    for root in (folder, *folder.parents):
        git = root / ".git"
        if git.is_dir():
            return root, git
        if git.is_file():  # of a worktree or a submodule: it names the folder
            name, _, path = _read(git).partition(":")
            if name == "gitdir" and (named := root / path.strip()).is_dir():
                return root, named
    return None


def _common(git: Path) -> Path:
    """Where objects and branches are: of a worktree, in the main checkout's git folder."""
    named = git / "commondir"
    return git / _read(named).strip() if named.is_file() else git


def _commit(git: Path, common: Path) -> str | None:
    said = _read(git / "HEAD").strip()
    for _ in range(5):  # a reference may name another
        if not said.startswith("ref:"):
            break
        name = said.removeprefix("ref:").strip()
        if ".." in name or not name.startswith("refs/"):
            return None
        places = [one for one in (git / name, common / name) if one.is_file()]
        said = _read(places[0]).strip() if places else _packed(common, name)
    return said if _HASH.fullmatch(said) else None


def _packed(common: Path, name: str) -> str:
    packed = common / "packed-refs"
    lines = _read(packed).splitlines() if packed.is_file() else []
    return next((line.partition(" ")[0] for line in lines if line.partition(" ")[2] == name), "")


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_LONGEST)


def _is_dirty(root: Path, git: Path, common: Path, commit: str) -> bool | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    with tempfile.TemporaryDirectory(prefix="harness-git-") as own:
        place = Path(own)
        for name in ("objects", "refs", "info"):
            (place / name).mkdir()
        (place / "HEAD").write_text(commit + "\n")
        version, extensions = (1, "[extensions]\n\tobjectFormat = sha256\n") if len(commit) == 64 else (0, "")
        (place / "config").write_text(f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = false\n{extensions}")
        with suppress(OSError):
            if (common / "info" / "exclude").is_file():
                (place / "info" / "exclude").write_text(_read(common / "info" / "exclude"), encoding="utf-8")
        environment |= {
            "GIT_DIR": own,
            "GIT_WORK_TREE": str(root),
            "GIT_INDEX_FILE": str(git / "index"),
            "GIT_OBJECT_DIRECTORY": str(common / "objects"),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
        settings = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "core.untrackedCache=false")
        command = ["git", *(word for setting in settings for word in ("-c", setting))]
        command += ["status", "--porcelain", "--ignore-submodules=all"]
        try:
            status = subprocess.run(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return bool(status.stdout.strip())
