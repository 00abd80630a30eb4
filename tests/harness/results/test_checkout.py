"""The commit and the changes of a checkout, as git has them, without running what the folder's configuration names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.results.checkout import BRANCH_VARIABLES, git_state
from harness.results.git import git_output, git_text


def git(folder: Path, *arguments: str) -> str:
    own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *own, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("1")
    (folder / ".gitignore").write_text("ignored\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def commit_and_dirty(folder: Path) -> tuple[object, object]:
    found = git_state(folder)
    return found["commit"], found["dirty"]


def test_branch_parents_and_time(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = git_state(checkout)
    assert first["branch"] == "main" and first["parents"] == []
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+0200")
    git(checkout, "checkout", "-qb", "side/branch")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "parent 0000\n\nparent 1111")
    side = git_state(checkout)
    assert (side["branch"], side["parents"]) == ("side/branch", [first["commit"]])
    assert side["commit_time"] == "2026-01-02T01:04:05+00:00"
    git(checkout, "checkout", "-q", "main")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "on main")
    main = git(checkout, "rev-parse", "HEAD")
    git(checkout, "merge", "-q", "--no-ff", "-m", "merge", "side/branch")
    assert git_state(checkout)["parents"] == [main, side["commit"]]
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{checkout}", "shallow")
    assert git_state(tmp_path / "shallow")["parents"] == [main, side["commit"]], "a shallow clone lacks them, not us"
    git(checkout, "checkout", "-q", "--detach")
    for name in BRANCH_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert "branch" not in git_state(checkout)
    monkeypatch.setenv("GITHUB_REF_NAME", "built")
    assert git_state(checkout)["branch"] == "built"


def test_commit_and_changes(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    inner = checkout / "inner"
    inner.mkdir()
    assert git_state(checkout) == git_state(inner) and commit_and_dirty(inner) == (commit, False)
    (checkout / "ignored").write_text("x")
    (checkout / ".git" / "info" / "exclude").write_text("excluded\n")
    (checkout / "excluded").write_text("x")
    assert git_state(checkout)["dirty"] is False
    (checkout / "new").write_text("x")
    assert git_state(checkout)["dirty"] is True
    git(checkout, "add", "new")
    assert git_state(checkout)["dirty"] is True
    git(checkout, "commit", "-qm", "two")
    assert commit_and_dirty(checkout) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "file").write_text("2")
    assert git_state(checkout)["dirty"] is True


def test_packed_detached_and_worktrees(checkout: Path, tmp_path: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "pack-refs", "--all")
    git(checkout, "gc", "-q")
    assert commit_and_dirty(checkout) == (commit, False)
    git(checkout, "worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    assert commit_and_dirty(tmp_path / "other") == (commit, False)
    assert git_state(tmp_path / "other")["branch"] == "other"
    (tmp_path / "other" / "file").write_text("2")
    assert git_state(tmp_path / "other")["dirty"] is True and git_state(checkout)["dirty"] is False
    git(checkout, "checkout", "-q", "--detach")
    assert commit_and_dirty(checkout) == (commit, False)


def test_nothing_outside_of_a_checkout_and_nothing_before_a_commit(tmp_path: Path) -> None:
    assert git_state(tmp_path) == {}
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) == {}
    (tmp_path / ".git" / "HEAD").write_text("ref: ../../../etc/passwd\n")
    assert git_state(tmp_path) == {}


def test_without_git_the_commit_is_known(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert git_state(checkout) == {"commit": commit, "branch": "main"}


def test_no_program_that_the_folder_names_is_run(checkout: Path) -> None:
    ran = checkout.parent / "ran"
    program = checkout.parent / "program"
    program.write_text(f"#!/bin/sh\necho $0 $@ >> {ran}\ncat\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "filter.f.clean", "filter.f.process", "filter.f.smudge", "core.sshCommand",
                 "core.pager", "core.editor", "diff.external", "diff.d.textconv", "diff.d.command", "credential.helper",
                 "core.askPass", "core.gitProxy", "gpg.program", "alias.status"):  # fmt: skip
        git(checkout, "config", name, f"!{program}" if name == "alias.status" else str(program))
    git(checkout, "config", "core.hooksPath", str(checkout / "hooks"))
    git(checkout, "config", "include.path", str(checkout / "more"))
    (checkout / "more").write_text(f"[core]\n\tfsmonitor = {program}\n")
    for folder in (checkout / "hooks", checkout / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in ("post-index-change", "fsmonitor-watchman", "pre-commit", "reference-transaction"):
            (folder / hook).write_bytes(program.read_bytes())
            (folder / hook).chmod(0o755)
    (checkout / ".gitattributes").write_text("* filter=f diff=d\n")
    (checkout / ".git" / "info" / "attributes").write_text("* filter=f diff=d\n")
    (checkout / "file").write_text("2")
    assert git_state(checkout)["dirty"] is True
    assert not ran.exists(), ran.read_text()
    subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True)
    assert ran.exists(), "asked in the folder's own way, git runs them"


def test_no_program_that_a_repository_names_is_run(checkout: Path, tmp_path: Path) -> None:
    """Known bad: `git status` of the same folder runs it, so that what is tried here would be seen."""
    ran = tmp_path / "ran"
    for name in ("monitor", "hook"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        (tmp_path / name).chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(tmp_path / "monitor")], cwd=checkout, check=True)
    assert git_output(checkout, "status", "--porcelain") is not None
    assert git_text(checkout, "ls-files", "--others", "--exclude-standard") is not None
    assert not ran.exists()
    subprocess.run(["git", "status"], cwd=checkout, check=True, capture_output=True)
    assert ran.read_text().startswith("monitor")
    assert git_output(tmp_path / "gone", "status") is None and git_text(checkout, "no-such-command") == ""
