"""The commits of the project's repository, in their order: what git knows of a branch.

Only commands that run nothing of the repository's configuration: no log with its pagers and signatures, no hooks.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import UserError, shown
from harness.spelling import nearest

SECONDS = 120


@dataclass(frozen=True)
class Repository:
    """A branch of a repository."""

    root: Path
    branch: str
    """In words; `HEAD` where no branch is checked out and none was asked for."""
    tip: str
    is_shallow: bool

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The commits that the branch reaches, oldest first, each with its parents (of a shallow clone's oldest ones
        none). A commit stands behind all of its parents, and the commits of a merged branch stand together."""
        lines = _git(self.root, "rev-list", "--topo-order", "--reverse", "--parents", self.tip, "--").splitlines()
        commits = (line.split() for line in lines)
        return {commit: tuple(parents) for commit, *parents in commits}

    @cached_property
    def first_line(self) -> frozenset[str]:
        """The tip, its first parent, the first parent of that, and so on: what the branch itself was at."""
        found, commit = set(), self.tip
        while commit in self.parents and commit not in found:
            found.add(commit)
            commit = next(iter(self.parents[commit]), "")
        return frozenset(found)

    def has(self, commits: Iterable[str]) -> set[str]:
        """Those of some commits that are here at all, on whatever branch or on none."""
        asked = [commit for commit in commits if _is_hash(commit)]
        said = _git(self.root, "cat-file", "--batch-check=%(objectname) %(objecttype)", given="\n".join(asked) + "\n")
        return {line.split()[0] for line in said.splitlines() if line.endswith(" commit")}

    def subjects(self, commits: Sequence[str]) -> dict[str, str]:
        """The first line of each commit's message."""
        asked = [commit for commit in commits if _is_hash(commit)]
        if not asked:
            return {}
        words = ("rev-list", "--no-walk=unsorted", "--no-commit-header", "--format=%H%x09%s", "--stdin")
        lines = _git(self.root, *words, given="\n".join(asked) + "\n").splitlines()
        return {commit: subject for commit, _, subject in (line.partition("\t") for line in lines)}

    def commit(self, revision: str, place: str) -> str:
        """The commit that a revision names. Raises UserError."""
        if not revision.strip() or revision.startswith("-"):
            raise UserError(f"'{shown(revision)}' is no revision: name a commit, a branch or a tag", place=place)
        found = _git(
            self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
        if found:
            return found
        fix = "`git fetch --unshallow` brings what this shallow clone lacks" if self.is_shallow else "fetch it"
        raise UserError(f"there is no commit {shown(revision)} here; {fix}", place=place)


def repository(folder: Path | None = None, branch: str | None = None) -> Repository | None:
    """The repository that a folder (the working folder) lies in, at a branch: the one that is checked out, or `branch`;
    the remote's where the local one is only behind it. None where there is no repository, no git, or no commit. Raises
    UserError for a branch that isn't there."""
    here = Path.cwd() if folder is None else folder
    root = _git(here, "rev-parse", "--show-toplevel").strip()
    if not root:
        return None
    place = Path(root)
    name = branch or _git(place, "symbolic-ref", "--quiet", "--short", "HEAD").strip() or "HEAD"
    tip = _tip(place, name)
    if not tip:
        if branch is None:
            return None
        known = _git(place, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").split()
        raise UserError(f"there is no branch {shown(branch)} here{nearest(branch, known)}", place="--branch")
    return Repository(place, name, tip, _git(place, "rev-parse", "--is-shallow-repository").strip() == "true")


def _tip(root: Path, name: str) -> str:
    """The commit of a branch; empty where there is none."""
    if name.startswith("-"):
        return ""
    found = [_git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").strip() for ref in _references(name)]
    local, remote, *others = found
    if local and remote and _git(root, "merge-base", local, remote).strip() == local:
        return remote
    return local or remote or next(filter(None, others), "")


def _references(name: str) -> tuple[str, ...]:
    return (f"refs/heads/{name}", f"refs/remotes/origin/{name}", f"refs/remotes/{name}", name)


def _is_hash(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= set("0123456789abcdef")


def _git(folder: Path, *words: str, given: str = "") -> str:
    """What a git command says; empty where it fails."""
    command = ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", *words]
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
