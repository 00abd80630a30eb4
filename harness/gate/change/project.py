"""The user's project at two states: the base's revision, and the working folder as it lies there.

Both are built aside in the same way, so that neither has an advantage and nothing that an earlier `pip install` left in
this environment stands in for either. Each has a folder of files too, in which its suite runs: paths in a suite (a
model's folder, a text) then mean the files of that state.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UserError, WrongArgument
from harness.file_digest import file_sha256
from harness.gate.arms.building import built, finished, version_of
from harness.gate.arms.revision import checked_out, commit_of, install_project, root_of, submodules
from harness.results.baseline import BaselineMissing
from harness.results.checkout import git_state, state_of_commit
from harness.results.git import git_output


@dataclass(frozen=True)
class State:
    """One state of the project."""

    name: str
    """In words: `origin/main (4f1e058)`."""
    commit: str
    dirty: bool
    """Whether it has changes that are in no commit."""
    path: Path
    """What is put first on the path of modules: the project, built."""
    folder: Path
    """Its files; the working folder of what runs."""
    git: Mapping[str, object] = field(default_factory=dict)
    """Commit, parents, branch, time and changes, as `git_state` has them."""


@contextmanager
def base_state(revision: str, folder: Path, tell: Callable[[str], None]) -> Iterator[State]:
    """The project at a revision; its files are there until the end of the block. folder: the working folder. Raises
    UserError, and BaselineMissing for a revision that isn't here."""
    root = root_of(folder, "base")
    try:
        commit = commit_of(root, revision, "base")
    except UserError as error:
        raise BaselineMissing(error.message, place=error.place) from None
    inside = folder.resolve().relative_to(root)
    name = f"{revision} ({commit[:10]})"
    with checked_out(root, commit, "base") as tree:
        if not (tree / inside).is_dir():
            raise WrongArgument(f"{name} has no folder {inside}", place="base")
        determined = ["revision", commit, str(inside), *_interpreter()]
        path = _built(tree / inside, determined, name, "base", tell)
        yield State(name, commit, False, path, tree / inside, state_of_commit(root, commit))


def head_state(folder: Path, tell: Callable[[str], None], without: Path | None = None) -> State:
    """The project as it lies in the working folder, with what is in no commit. without: a folder of results in it,
    which is no part of the project. Raises UserError."""
    root = root_of(folder, "the working folder")
    found = git_state(root)
    commit, dirty = str(found.get("commit", "")), bool(found.get("dirty"))
    name = f"the working folder ({commit[:10]}{', with changes' if dirty else ''})"
    files = [name for name in _files(root) if without is None or not (root / name).is_relative_to(without.resolve())]
    contents = hashlib.sha256()
    for file in files:
        contents.update(f"{file} {file_sha256(root / file)}\n".encode("utf-8", "surrogateescape"))
    inside = folder.resolve().relative_to(root)
    determined = ["files", contents.hexdigest(), str(inside), *_interpreter()]
    with tempfile.TemporaryDirectory(prefix="harness-head-") as parent:
        tree = Path(parent) / root.name
        _copy(root, files, tree)
        path = _built(tree / inside, determined, name, "the working folder", tell)
    return State(name, commit, dirty, path, folder.resolve(), found)


def _interpreter() -> list[str]:
    return [str(version_of(sys.executable, "this Python")), sys.executable]


def _built(project: Path, determined: Sequence[str], name: str, place: str, tell: Callable[[str], None]) -> Path:
    with built(determined) as (target, is_there):
        if not is_there:
            tell(f"building {name}")
            target.mkdir()
            install_project(sys.executable, project, target, name, place)
            finished(target, determined)
    return target


def _files(root: Path) -> list[str]:
    """The files of the working folder that git tracks or would: those that it ignores are no part of the project."""
    listed = git_output(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None:
        raise UserError(f"git can't list the files of {root}; `git ls-files` says why", place="the working folder")
    names = set(listed.decode("utf-8", "surrogateescape").split("\0")) - {""}
    for inner in submodules(root):
        if (root / inner / ".git").exists():
            names |= {f"{inner}/{name}" for name in _files(root / inner)}
    return sorted(name for name in names if (root / name).is_file())


def _copy(root: Path, files: Sequence[str], tree: Path) -> None:
    for name in files:
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target, follow_symlinks=False)
