"""Points stand in the order of commits, whatever clocks say; what is not known is one sentence."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.history.commits import Repository, repository
from harness.history.order import Measured, order_of
from tests.harness.history.generated import BEGIN, git


def commit(folder: Path, subject: str, days: int = 0) -> str:
    when = (BEGIN + timedelta(days=days)).isoformat()
    (folder / "file").write_text(subject)
    git(folder, "add", ".")
    git(folder, "-c", "user.useConfigOnly=false", "commit", "-q", "-m", subject, "--date", when)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def measured(key: str, sequence: int, *parents: str, branch: str | None = "main", days: int | None = None) -> Measured:
    when = None if days is None else BEGIN + timedelta(days=days)
    return Measured(key, True, parents, frozenset({branch} if branch else ()), sequence, when)


def found(folder: Path, branch: str | None = None) -> Repository:
    here = repository(folder, branch)
    assert here is not None
    return here


def test_git_decides_whatever_was_added_first_and_clocks_say(project: Path) -> None:
    commits = [commit(project, f"{number}") for number in range(5)]
    days = [0, 1, -30, 3, 4]
    given = [measured(key, 9 - place, days=day) for place, (key, day) in enumerate(zip(commits, days, strict=True))]
    order = order_of(given, found(project))
    assert order.keys == tuple(commits) and not order.apart and order.branch == "main"
    (note,) = order.notes
    assert note.startswith("clocks jump back at 1 commit") and commits[2][:10] in note


def test_what_was_pushed_away_or_never_merged_stands_apart(project: Path) -> None:
    first = commit(project, "first")
    gone = commit(project, "gone")
    git(project, "reset", "-q", "--hard", first)
    kept = commit(project, "kept")
    git(project, "checkout", "-q", "-b", "side")
    side = commit(project, "side")
    git(project, "checkout", "-q", "main")
    order = order_of(
        [
            measured(first, 1),
            measured(gone, 2, first),
            measured(kept, 3, first),
            measured(side, 4, kept, branch="side"),
            measured("e" * 40, 5, gone),
            Measured("run x", False, sequence=6),
        ],
        found(project),
    )
    assert order.keys == (first, kept)
    assert order.apart == {
        gone: "not in the history of main",
        side: "of the branch side",
        "e" * 40: "not in the history of main, and not in this clone",
        "run x": "outside of git",
    }
    assert order_of([measured(first, 1), measured(side, 2, kept, branch="side")], found(project, "side")).keys == (
        first,
        side,
    )


def test_a_merged_branch_is_beside_the_line(project: Path) -> None:
    first = commit(project, "first")
    git(project, "checkout", "-q", "-b", "side")
    side = commit(project, "side")
    git(project, "checkout", "-q", "main")
    second = commit(project, "second")
    git(project, "merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "side")
    merge = git(project, "rev-parse", "HEAD")
    given = [measured(first, 1), measured(second, 2), measured(side, 3, first, branch="side"), measured(merge, 4)]
    order = order_of(given, found(project))
    assert order.keys.index(first) == 0 and order.keys[-1] == merge and set(order.keys) == {first, second, side, merge}
    assert order.beside == {side}
    was_main = [*given[:2], measured(side, 3, first), given[3]]
    assert order_of(was_main, found(project)).beside == frozenset(), "it was main's when it was measured"


def test_a_shallow_clone_says_so(project: Path, tmp_path: Path) -> None:
    commits = [commit(project, f"{number}") for number in range(6)]
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{project}", "shallow")
    given = [measured(key, place, *commits[place - 1 : place]) for place, key in enumerate(commits)]
    order = order_of(given[::-1], found(tmp_path / "shallow"))
    assert order.keys == tuple(commits)
    assert "this clone is shallow and lacks 4 commits" in order.notes[0] and "git fetch --unshallow" in order.notes[0]
    sparse = [measured(commits[0], 1), measured(commits[2], 2), measured(commits[5], 3)]
    assert order_of(sparse, found(tmp_path / "shallow")).keys == (commits[0], commits[2], commits[5])


def test_a_clone_that_is_behind_says_so(project: Path, tmp_path: Path) -> None:
    first = commit(project, "first")
    git(tmp_path, "clone", "-q", f"file://{project}", "behind")
    second, third = commit(project, "second"), commit(project, "third")
    given = [measured(third, 1, second), measured(second, 2, first), measured(first, 3)]
    order = order_of(given, found(tmp_path / "behind"))
    assert order.keys == (first, second, third)
    assert order.notes == ("2 commits after main's last one here: `git fetch` brings them",)
    git(tmp_path / "behind", "fetch", "-q")
    assert found(tmp_path / "behind").tip == third, "the remote's branch, as the local one is only behind it"


def test_without_git_parents_decide_and_then_adding(tmp_path: Path, project: Path) -> None:
    keys = [f"{number:040x}" for number in range(6)]
    chain = [measured(keys[place], 9 - place, *keys[max(place - 1, 0) : place]) for place in range(4)]
    loose = [measured(keys[4], 20, "f" * 40), measured(keys[5], 0, "e" * 40)]
    order = order_of([*loose, *chain], repository(tmp_path))
    assert order.keys == (keys[5], *keys[:4], keys[4])
    assert order.notes == (
        "there is no git repository here, so they stand by the parents that the runs kept and, where those leave it "
        "open, in the order of adding",
    )
    commit(project, "of another project")
    (note,) = order_of(chain, repository(project)).notes
    assert note.startswith("the repository here has none of these commits in the history of main, so they stand by")
    assert order_of(chain, None).keys == tuple(keys[:4])
    bare = [Measured(f"run {number}", False, sequence=9 - number) for number in range(3)]
    order = order_of(bare, None)
    assert order.keys == ("run 2", "run 1", "run 0")
    assert order.notes == ("the runs know no commits, so they stand in the order of adding",)


def test_parents_in_a_circle_lose_nothing() -> None:
    a, b, c = "a" * 40, "b" * 40, "c" * 40
    order = order_of([measured(a, 2, b), measured(b, 1, a), measured(c, 3, c)], None)
    assert sorted(order.keys) == [a, b, c]


def test_without_git_other_branches_stand_apart() -> None:
    given = [measured("a" * 40, 1), measured("b" * 40, 2, branch="try"), measured("c" * 40, 3, branch=None)]
    order = order_of(given, None)
    assert order.keys == ("a" * 40, "c" * 40) and order.apart == {"b" * 40: "of the branch try"}
    assert order_of(given, None, "try").keys == ("b" * 40, "c" * 40)


def test_a_branch_that_is_not_there(project: Path, tmp_path: Path) -> None:
    assert repository(tmp_path) is None and repository(project) is None, "before the first commit"
    commit(project, "first")
    with pytest.raises(UserError, match="there is no branch man here; did you mean 'main'"):
        repository(project, "man")
    with pytest.raises(UserError, match="there is no branch --help"):
        repository(project, "--help")
    with pytest.raises(UserError, match="there is no commit nowhere here"):
        found(project).commit("nowhere", "--good")
