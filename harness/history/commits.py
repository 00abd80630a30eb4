"""The commits of the project's repository, in their order: what git knows of a branch. No log, whose pagers and
signatures a repository's configuration chooses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import WrongArgument, shown
from harness.results.git import git_text
from harness.spelling import nearest


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
        lines = git_text(self.root, "rev-list", "--topo-order", "--reverse", "--parents", self.tip, "--").splitlines()
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
        said = git_text(
            self.root, "cat-file", "--batch-check=%(objectname) %(objecttype)", given="\n".join((*asked, ""))
        )
        return {line.split()[0] for line in said.splitlines() if line.endswith(" commit")}

    def subjects(self, commits: Sequence[str]) -> dict[str, str]:
        """The first line of each commit's message."""
        asked = [commit for commit in commits if _is_hash(commit)]
        if not asked:
            return {}
        words = ("rev-list", "--no-walk=unsorted", "--no-commit-header", "--format=%H%x09%s", "--stdin")
        lines = git_text(self.root, *words, given="\n".join(asked) + "\n").splitlines()
        return {commit: subject for commit, _, subject in (line.partition("\t") for line in lines)}

    def between(self, good: str, bad: str) -> list[str]:
        """The commits after `good` up to `bad`, oldest first; none where `good` is no ancestor."""
        if git_text(self.root, "merge-base", good, bad).strip() != good:
            return []
        return git_text(self.root, "rev-list", "--topo-order", "--reverse", f"{good}..{bad}", "--").split()

    def commit(self, revision: str, place: str) -> str:
        """The commit that a revision names. Raises UserError."""
        if not revision.strip() or revision.startswith("-"):
            raise WrongArgument(f"'{shown(revision)}' is no revision: name a commit, a branch or a tag", place=place)
        found = git_text(
            self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
        if found:
            return found
        fix = "`git fetch --unshallow` brings what this shallow clone lacks" if self.is_shallow else "fetch it"
        raise WrongArgument(f"there is no commit {shown(revision)} here; {fix}", place=place)


def repository(folder: Path | None = None, branch: str | None = None) -> Repository | None:
    """The repository that a folder (the working folder) lies in, at a branch: the one that is checked out, or `branch`;
    the remote's where the local one is only behind it. None where there is no repository, no git, or no commit. Raises
    UserError for a branch that isn't there."""
    here = Path.cwd() if folder is None else folder
    root = git_text(here, "rev-parse", "--show-toplevel").strip()
    if not root:
        return None
    place = Path(root)
    name = branch or git_text(place, "symbolic-ref", "--quiet", "--short", "HEAD").strip() or "HEAD"
    tip = _tip(place, name)
    if not tip:
        if branch is None:
            return None
        known = git_text(place, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").split()
        raise WrongArgument(f"there is no branch {shown(branch)} here{nearest(branch, known)}", place="branch")
    return Repository(place, name, tip, git_text(place, "rev-parse", "--is-shallow-repository").strip() == "true")


def _tip(root: Path, name: str) -> str:
    """The commit of a branch; empty where there is none."""
    if name.startswith("-"):
        return ""
    verify = ("rev-parse", "--verify", "--quiet")
    found = [git_text(root, *verify, f"{ref}^{{commit}}").strip() for ref in _references(name)]
    local, remote, *others = found
    if local and remote and git_text(root, "merge-base", local, remote).strip() == local:
        return remote
    return local or remote or next(filter(None, others), "")


def _references(name: str) -> tuple[str, ...]:
    return (f"refs/heads/{name}", f"refs/remotes/origin/{name}", f"refs/remotes/{name}", name)


def _is_hash(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= set("0123456789abcdef")
