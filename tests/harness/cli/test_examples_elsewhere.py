"""The examples of help that need an asset, a repository or a history with a step, as written: on small ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.assets.table import ASSETS
from tests.harness.assets import fakes
from tests.harness.cli.test_examples import ELSEWHERE, EXAMPLES, called
from tests.harness.history.generated import git, row, write

OF_ASSETS = [one for one in EXAMPLES if one.split()[1] in ("assets", "data") and one.split()[2] in ("get", "verify")]
OTHERS = [one for one in EXAMPLES if one.split()[1] in ("ci", "bisect")]
KERNELS = """
def inputs(n):
    return list(range(n))

def total(values):
    return sum(value * value % 7 for value in values)
"""
CI = """name: ci
calls:
  total: {call: "kernels:total", setup: "kernels:inputs", arguments: [2000], threads: 1}
"""


def test_none_is_left_out() -> None:
    assert len(OF_ASSETS) >= 3 and len(OTHERS) == 2
    assert {one for one in EXAMPLES if one.removeprefix("harness ").startswith(ELSEWHERE)} == {*OF_ASSETS, *OTHERS}


@pytest.mark.parametrize("line", OF_ASSETS)
def test_an_example_of_assets(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small file in the place of the asset, served on loopback."""
    name = line.split()[-1]
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    with fakes.serving(tmp_path / "index") as server:
        monkeypatch.setitem(
            ASSETS, name, replace(fakes.url_asset(fakes.wheel(tmp_path / "index"), server.url), name=name)
        )
        if "verify" in line:
            assert called(monkeypatch, f"harness assets get {name}") == 0
        assert called(monkeypatch, line) == 0
    told = capsys.readouterr()
    assert name in told.out + told.err


@pytest.mark.skipif(shutil.which("git") is None, reason="git")
@pytest.mark.parametrize("line", OTHERS)
def test_an_example_of_a_repository(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project whose last commit is slower, and a history that has measured each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 40_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    Path("suites").mkdir()
    Path("suites/ci.yaml").write_text(CI)
    Path(".gitignore").write_text("results/\n__pycache__/\n")
    git(tmp_path, "init", "-q", "-b", "main")
    for number in range(12):
        Path("kernels.py").write_text(f"VERSION = {number}\n{KERNELS}")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", f"commit {number}")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    if "bisect" in line:
        commits = git(tmp_path, "rev-list", "--reverse", "HEAD").split()
        values = [1 + at % 3 / 300 if at < 6 else 1.4 for at in range(12)]
        rows = [
            [row(at, commit=commits[at], parents=tuple(commits[max(at - 1, 0) : at]), value=values[at])]
            for at in range(12)
        ]
        write(tmp_path / "results/history", rows)
    else:
        Path("kernels.py").write_text(KERNELS.replace("value * value % 7", "value * value % 7 + 0 * value"))
    code = called(monkeypatch, line)
    told = capsys.readouterr()
    assert code in (0, 1, 3), told.err
    assert ("git bisect run" if "bisect" in line else "against origin/main") in told.out
