"""`harness bisect`: what lies between two points, and commands that find the commit."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.history.bisect import Bisection, bisect
from harness.history.folder import read_history
from harness.history.row import Row
from tests.harness.history.generated import git, row, write

COMMITS, BACK = 30, 7
SLOW = COMMITS - BACK
"""The commit that is slower: seven commits back from the last one, counted from 0."""
CODE = """
VERSION = {number}

def work(times):
    total = 0
    for number in range({times}):
        total += number * number % 7
    return total
"""
WHERE = '{"arguments": "[20000]", "call": "work", "function": "kernels:work", "threads": 1}'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty commits of a project, slower from one of them on; every fourth is of words alone."""
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("results/\n__pycache__/\n")
    for number in range(COMMITS):
        if number % 4 == 1:
            (folder / "README").write_text(f"{number}")
        else:
            times = "times" if number < SLOW else "times + times // 3"
            (folder / "kernels.py").write_text(CODE.format(number=number, times=times))
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"commit {number}")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def runs_of(commits: list[str], which: range) -> list[list[Row]]:
    call = {"model": None, "measure": None, "metric": "time", "where": WHERE, "pinned": commits[0]}
    return [
        [
            row(
                at,
                commit=commits[at],
                parents=tuple(commits[max(at - 1, 0) : at]),
                value=1.3 if at >= SLOW else 1 + at % 3 / 300,
                **call,
            )
        ]
        for at in which
    ]


def history_of(project: Path, every: int = 2) -> list[str]:
    """Every commit's name; the history has measured every second one."""
    commits = git(project, "rev-list", "--reverse", "HEAD").split()
    write(project / "results/history", runs_of(commits, range(0, COMMITS, every)))
    return commits


def found(project: Path, **more: str) -> Bisection:
    return bisect(read_history(project / "results/history"), "time", folder=project, **more)  # type: ignore[arg-type]


def test_the_commits_between_two_points(project: Path) -> None:
    commits = history_of(project)
    between = found(project, good=commits[10], bad="HEAD")
    assert (between.good, between.bad) == (commits[10], commits[-1])
    assert [one.commit for one in between.commits] == commits[11:]
    assert [one.subject for one in between.commits][:2] == ["commit 11", "commit 12"]
    assert [one.point is not None for one in between.commits] == [at % 2 == 0 for at in range(11, COMMITS)]
    start, run, reset = between.commands
    assert start == f"git bisect start {commits[-1][:12]} {commits[10][:12]}" and reset == "git bisect reset"
    words = shlex.split(run)
    assert words[:5] == ["git", "bisect", "run", "sh", "-c"]
    decides, mapped = words[5].split("; ", 1)
    assert shlex.split(decides) == [
        *("harness", "ab", "--a", f"call=kernels:work,revision={commits[10][:12]}", "--b", "call=kernels:work"),
        *("--arguments", "[20000]", "--threads", "1", "--margin", "0.05"),
    ]
    for code, wanted in ((0, 0), (1, 1), (2, 125), (3, 125), (4, 0), (5, 125), (130, 130)):
        done = subprocess.run(["sh", "-c", f"(exit {code}); {mapped}"], check=False)
        assert done.returncode == wanted, code


def test_the_sides_of_the_last_step_where_none_are_named(project: Path) -> None:
    commits = history_of(project, every=1)
    between = found(project)
    assert between.good == commits[SLOW - 1] and between.bad == commits[SLOW]
    assert "--margin 0.15" in between.decides, "half of the step"


def test_what_can_not_be_bisected_is_one_sentence(project: Path, tmp_path: Path) -> None:
    commits = history_of(project)
    with pytest.raises(UserError, match="there is no commit nowhere here"):
        found(project, good="nowhere", bad="HEAD")
    with pytest.raises(UserError, match="is no ancestor of"):
        found(project, good="HEAD", bad=commits[3])
    with pytest.raises(UserError, match="is no ancestor of"):
        found(project, good="HEAD", bad="HEAD")
    with pytest.raises(UserError, match="git's to name: run it in the project's repository"):
        bisect(read_history(project / "results/history"), "time", folder=tmp_path)
    other = row(0, metric="time", where='{"call": "other"}', cell="d", model=None, measure=None, run_id="other")
    write(project / "results/history", [[other]])
    with pytest.raises(UserError, match=r"time has 2 series; choose one with `where`"):
        found(project, good=commits[3], bad="HEAD")


def test_a_quality_is_decided_by_ci(project: Path) -> None:
    commits = git(project, "rev-list", "--reverse", "HEAD").split()
    value = {"kind": "value", "depends_on": None, "pinned": None, "metric": "bits_per_byte", "measure": "perplexity"}
    rows = [[row(at, commit=commits[at], unit="bits/byte", value=1.0, **value)] for at in range(0, COMMITS, 5)]
    write(project / "results/history", rows)
    history = read_history(project / "results/history")
    between = bisect(history, "bits_per_byte", good=commits[1], bad="HEAD", folder=project)
    assert between.decides == f"harness ci ci --base {commits[1][:12]}"
    assert "judges all that ci gates" in between.notes[0]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param(SLOW - 2, SLOW + 1, marks=pytest.mark.slow),  # two steps; the whole history takes five
        pytest.param(0, 28, marks=pytest.mark.nightly),
    ],
)
def test_git_bisect_finds_the_planted_commit(project: Path, tmp_path: Path, good: int, bad: int) -> None:
    commits = history_of(project, every=1)
    between = found(project, good=commits[good], bad=commits[bad])
    assert "--margin 0.15" in between.decides, "half of what the history knows"
    folder = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": os.pathsep.join([folder, os.environ["PATH"]]),
        "HARNESS_CACHE": str(tmp_path / "cache"),
    }
    said = ""
    for command in between.commands[:2]:
        done = subprocess.run(["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True)
        said += done.stdout + done.stderr
    first = re.search(r"([0-9a-f]{40}) is the first bad commit", said)
    assert first is not None and first[1] == commits[SLOW], said
