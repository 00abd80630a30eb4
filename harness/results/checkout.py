"""The commit of the working folder, and whether it has changes, without running what that folder asks for.

A folder's `.git/config` can name programs (`core.fsmonitor`, hooks, filters of files) that `git status` then runs. So
the commit is read from its files by hand, and git compares with a git folder of our own that borrows the other's
objects and index, and none of its configuration.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from harness.results.git import git_output

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SECONDS = 10
"""A run does not wait longer to know whether its code has changes."""
_LONGEST = 1 << 24
"""Bytes of a file of references that we read."""


def state_of_commit(folder: Path, commit: str) -> dict[str, object]:
    """`commit`, `parents` and `commit_time` of a commit of the repository that a folder lies in, as `git_state` has
    them, without changes; the commit alone where git doesn't say more."""
    try:
        place = _git_folder(folder.resolve())
        if place is None or not _HASH.fullmatch(commit):
            return {"commit": commit}
        root, git = place
        common = _common(git)
    except (OSError, ValueError):
        return {"commit": commit}
    with _own_git_folder(root, git, common, commit) as environment:
        return {"commit": commit, **_of_commit(root, environment, commit), "dirty": False}


BRANCH_VARIABLES = (
    *("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"),
    *("BUILDKITE_BRANCH", "CHANGE_BRANCH", "BRANCH_NAME"),
)
"""Where CI jobs (GitHub, GitLab, Buildkite, Jenkins) say which branch they build: they check out a commit."""


def git_state(folder: Path | None = None) -> dict[str, object]:
    """`commit`, `branch`, `parents`, `commit_time` (UTC) and `dirty` of the checkout that a folder (the working folder)
    lies in; nothing outside of one.

    What git doesn't say is left out: all but the commit where git isn't there; the branch where none is checked out.
    The parents are those of the commit itself, also where a shallow clone lacks them.
    """
    try:
        place = _git_folder((folder or Path.cwd()).resolve())
        if place is None:
            return {}
        root, git = place
        common = _common(git)
        commit = _commit(git, common)
        branch = _branch(git)
    except (OSError, ValueError):
        return {}
    if commit is None:
        return {}
    with _own_git_folder(root, git, common, commit) as environment:
        found = {"branch": branch, **_of_commit(root, environment, commit), "dirty": _is_dirty(root, environment)}
    return {"commit": commit, **{name: value for name, value in found.items() if value is not None}}


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


def _branch(git: Path) -> str | None:
    """The branch that is checked out; where none is, the one that a CI job says it builds."""
    said = _read(git / "HEAD").strip()
    if said.startswith("ref:"):
        return said.removeprefix("ref:").strip().removeprefix("refs/heads/")
    return next((os.environ[name] for name in BRANCH_VARIABLES if os.environ.get(name)), None)


@contextmanager
def _own_git_folder(root: Path, git: Path, common: Path, commit: str) -> Iterator[dict[str, str]]:
    """A git folder of our own with the other's objects and index: what git's environment is for it."""
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
        yield environment | {
            "GIT_DIR": own,
            "GIT_WORK_TREE": str(root),
            "GIT_INDEX_FILE": str(git / "index"),
            "GIT_OBJECT_DIRECTORY": str(common / "objects"),
        }


def _is_dirty(root: Path, environment: dict[str, str]) -> bool | None:
    said = git_output(
        root, "status", "--porcelain", "--ignore-submodules=all", environment=environment, seconds=SECONDS
    )
    return None if said is None else bool(said.strip())


def _of_commit(root: Path, environment: dict[str, str], commit: str) -> dict[str, object]:
    """Parents and time, from the commit's own lines: `parent HASH`, `committer NAME <EMAIL> SECONDS ZONE`."""
    said = git_output(root, "cat-file", "commit", commit, environment=environment, seconds=SECONDS)
    if said is None:
        return {}
    lines = said.decode("utf-8", "replace").partition("\n\n")[0].splitlines()
    parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
    seconds = next(
        (line.split()[-2] for line in lines if re.fullmatch(r"committer .*> -?\d{1,11} [+-]\d+", line)), None
    )
    if seconds is None:
        return {"parents": parents}
    return {"parents": parents, "commit_time": datetime.fromtimestamp(int(seconds), UTC).isoformat()}
