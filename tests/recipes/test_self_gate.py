"""`.ci/gate.py`: what makes the project's own gate red, and what doesn't."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from harness.suite.load import load_suite
from tests.recipes.test_workflows import ROOT

HEAD = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


class Ran:
    """The commands, each with its exit code."""

    def __init__(self, **codes: int) -> None:
        self.codes, self.asked = codes, list[str]()

    def __call__(self, *words: str) -> int:
        word = words[3]
        self.asked.append(word)
        if word in ("gate", "ci"):
            assert words[words.index("--on-inconclusive") + 1] == "pass", "noise is never red"
        return self.codes.get(word, 0)


@pytest.fixture
def gate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("self_gate", ROOT / ".ci/gate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(script: ModuleType, monkeypatch: pytest.MonkeyPatch, commit: str, **codes: int) -> tuple[int, list[str]]:
    ran = Ran(**codes)
    monkeypatch.setattr(script, "run", ran)
    monkeypatch.setattr(script, "commit_of_baseline", lambda out: commit)
    return script.main([]), ran.asked


@pytest.mark.skipif(not HEAD, reason="no git")
def test_quality_first_and_the_first_that_is_red_counts(gate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(gate, monkeypatch, HEAD) == (0, ["run", "gate", "ci"])
    assert asked(gate, monkeypatch, HEAD, run=2) == (2, ["run"])
    assert asked(gate, monkeypatch, HEAD, gate=1) == (1, ["run", "gate"])
    assert asked(gate, monkeypatch, HEAD, ci=1) == (1, ["run", "gate", "ci"])


@pytest.mark.parametrize("commit", ["", "f" * 40])
def test_a_commit_that_is_not_here_passes_and_is_said(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], commit: str
) -> None:
    assert asked(gate, monkeypatch, commit) == (0, ["run", "gate"])
    assert "is not in this clone, so speed is not judged" in capsys.readouterr().err


def test_no_baseline_is_red(
    gate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gate.main(["--out", str(tmp_path)]) == 5
    assert "there is no baseline to compare with" in capsys.readouterr().err


def test_its_suites_are_right() -> None:
    assert len(load_suite(str(ROOT / "suites/self.yaml")).suite.gate) == 2
    assert set(load_suite(str(ROOT / "benchmarks/self_speed.yaml")).suite.calls) == {"decode"}
