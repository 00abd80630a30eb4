"""A revision of the user's project as an arm: checked out aside, installed into a folder of its own.

The rest of the environment stays, so that a comparison with `origin/main` has one difference: the project. A project
that pip can't install (no pyproject.toml and no setup.py) is put on the path as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.errors import WrongArgument, shown
from harness.gate.arms.arm import Arm
from harness.gate.arms.building import built, finished, pip_of, run, version_of
from harness.results.checkout import git_state, state_of_commit
from harness.results.git import git_command, git_text
from harness.spelling import nearest

PROJECT = ("pyproject.toml", "setup.py")


def with_revision(arm: Arm, folder: Path, place: str, tell: Callable[[str], None]) -> Arm:
    """The arm with the revision that it names put first. folder: of the project. Raises UserError."""
    revision = arm.choice.revision
    root = root_of(folder, place)
    commit = commit_of(root, revision, place)
    inside = folder.resolve().relative_to(root)
    determined = ["revision", commit, str(inside), str(version_of(arm.python, place)), arm.python]
    with built(determined) as (target, is_there):
        if not is_there:
            tell(f"{place}: building {revision} ({commit[:10]})")
            target.mkdir()
            with checked_out(root, commit, place) as tree:
                install_project(arm.python, tree / inside, target, f"{revision} ({commit[:10]})", place)
            finished(target, determined)
    words = f"{'this environment' if not arm.choice.python else arm.environment} with {revision} ({commit[:10]})"
    return replace(arm, paths=(str(target), *arm.paths), built=commit, environment=words)


def state_of_arm(arm: Arm) -> dict[str, object]:
    """Commit, parents, branch, time and changes of what an arm runs, as `git_state` has them; nothing of packages."""
    if arm.choice.install:
        return {}
    if arm.choice.path:
        return git_state(Path(arm.choice.path).expanduser())
    return state_of_commit(Path.cwd(), arm.built) if arm.built else git_state()


def root_of(folder: Path, place: str) -> Path:
    """The root of the repository that a folder lies in. Raises UserError where it lies in none."""
    found = git_text(folder, "rev-parse", "--show-toplevel").strip()
    if found:
        return Path(found).resolve()
    if shutil.which("git") is None:
        raise WrongArgument("a revision needs git, which is not installed", place=place)
    raise WrongArgument(f"{folder} is in no git repository, so it has no revisions", place=place)


def commit_of(root: Path, revision: str, place: str) -> str:
    """The commit that a revision names. Raises UserError, which says what is missing: a fetch, or the history."""
    if not revision.strip() or revision.startswith("-"):
        raise WrongArgument(f"'{shown(revision)}' is no revision: name a commit, a branch or a tag", place=place)
    found = git_text(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    if found:
        return found
    remote, slash, branch = revision.partition("/")
    is_remote = slash and remote in git_text(root, "remote").split()
    if git_text(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        fetch = f"git fetch {remote} {branch}:refs/remotes/{revision}" if is_remote else "git fetch --unshallow"
        raise WrongArgument(
            f"{revision} is not in this clone, which is shallow: `{fetch}` brings it "
            "(in GitHub's actions/checkout: `fetch-depth: 0`)",
            place=place,
        )
    known = git_text(root, "for-each-ref", "--format=%(refname:short)").split()
    hint = f"; `git fetch {remote} {branch}` may bring it" if is_remote else nearest(revision, known)
    raise WrongArgument(f"there is no revision {shown(revision)} here{hint}", place=place)


@contextmanager
def checked_out(root: Path, commit: str, place: str) -> Iterator[Path]:
    """The files of a commit, in a worktree that is gone afterwards. No hook of the repository runs."""
    with tempfile.TemporaryDirectory(prefix="harness-revision-") as parent:
        tree = Path(parent) / root.name
        command = git_command(root, "worktree")
        run([*command, "add", "--detach", str(tree), commit], f"{commit[:10]} can't be checked out", place)
        try:
            _check_out_submodules(root, commit, tree, place)
            yield tree
        finally:
            subprocess.run([*command, "remove", "--force", str(tree)], capture_output=True)


def submodules(tree: Path) -> dict[str, str]:
    """By folder the commit of each submodule, as the index of a working folder has it."""
    entries = [line.partition("\t") for line in git_text(tree, "ls-files", "-z", "--stage").split("\0")]
    return {name: entry.split()[1] for entry, _, name in entries if entry.startswith("160000 ")}


def _check_out_submodules(root: Path, commit: str, tree: Path, place: str) -> None:
    """The files of each submodule, and of those within, at the commit that the one around it names, out of the
    submodule in the working folder: else both states would find the working folder's. Raises UserError where one is not
    here."""
    for line in git_text(root, "ls-tree", "-r", "-z", commit).split("\0"):
        entry, _, name = line.partition("\t")
        if not entry.startswith("160000 "):
            continue
        own, wanted = root / name, entry.split()[2]
        if not (own / ".git").exists() or not git_text(own, "cat-file", "-t", wanted):
            told = f"the submodule {name} is not here at {wanted[:10]}: `git submodule update --init --recursive` and "
            raise WrongArgument(f"{told}`git -C {name} fetch` bring it", place=place)
        with tempfile.TemporaryDirectory(prefix="harness-submodule-") as parent:
            packed = Path(parent) / "files.tar"
            archive = git_command(own, "archive", "--format=tar", f"--output={packed}", wanted)
            run(archive, f"the submodule {name} can't be checked out", place)
            shutil.unpack_archive(packed, tree / name)
        _check_out_submodules(own, wanted, tree / name, place)


def install_project(python: str, project: Path, target: Path, name: str, place: str) -> None:
    """Put a project into a folder that goes on a path. python: for which interpreter. Raises UserError."""
    if not project.is_dir():
        raise WrongArgument(f"{name} has no folder {project.name}", place=place)
    if any((project / file).is_file() for file in PROJECT):
        pip = pip_of(python, place)
        options = ["install", "--no-deps", "--target", str(target), str(project)]
        run([*pip, *options], f"{name} can't be built", place)
    else:
        shutil.copytree(project, target, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
