"""Foreign projects: folders with nothing of ours but an installed plugin."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import harness

SUITE = """name: foreign
models:
  nano: {reference: nano, train: {corpus: microworld, tokens: 1000}}
matrix: {precision: [fp32, int8], device: cpu}
measures:
  - perplexity: {text: microworld/test}
  - memory: {context: 64}
expect:
  - {metric: perplexity, where: {precision: fp32}, at_most: 100}
  - {metric: perplexity, where: {precision: int8}, against: {precision: fp32}, at_most: 1.01}
  - metric: weight_bytes
    where: {precision: int8}
    at_most: 10_000_000
"""
OWN_MODULES = {"harness", "harness.pytest_plugin", "harness.pytest_plugin.options"}
MET = "suites/ci.yaml::expect[perplexity (fp32) at most 100]"
RATIO = "perplexity (int8) / perplexity (fp32) at most 1.01"
UNMET = f"suites/ci.yaml::expect[{RATIO}]"
BYTES = "suites/ci.yaml::expect[weight_bytes (int8) at most 10,000,000]"
WORSE = {"outcome": "unmet", "value": 1.053, "low": 1.041, "high": 1.066, "subject": {"model": "nano"}}
STRADDLES = {"outcome": "undecided", "value": 1.01, "low": 1.0, "high": 1.02, "reason": "the interval straddles"}


class Project:
    """A foreign project."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester, self.folder = pytester, pytester.path

    def write(self, name: str, text: str) -> Path:
        """Write one of its files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def stub(self, **told: Any) -> None:
        """Have nothing measured in it: see `stubbed_run`. told: what a run comes to."""
        self.write("conftest.py", Path(__file__).with_name("stubbed_run.py").read_text())
        self.write("told.json", json.dumps(told))

    def pytest(self, *words: str) -> pytest.RunResult:
        """Run pytest here, in this process."""
        return self.pytester.runpytest_inprocess("-p", "no:benchmark", *words)

    def process(self, *words: str) -> pytest.RunResult:
        """Run pytest here, in a process of its own."""
        without = [word for name in ("benchmark", "hypothesispytest", "anyio") for word in ("-p", f"no:{name}")]
        return self.pytester.runpytest_subprocess(*without, *words)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the stub was asked to run."""
        file = self.folder / "calls.txt"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope="session")
def loaded() -> None:
    """What pytest imports within a test is forgotten after it, and numpy can't be imported twice: it is before."""
    import harness.gate.stored.stored_runs
    import harness.pytest_plugin.suites
    import harness.workflow  # noqa: F401


@pytest.fixture
def project(loaded: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> Project:
    """A project with `suites/ci.yaml`, a test of its own, and the plugin installed."""
    site = pytester.mkdir("site")
    info = site / "gpt_harness_here-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gpt-harness-here\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[pytest11]\nharness = harness.pytest_plugin\n")
    monkeypatch.syspath_prepend(site)
    root = Path(str(harness.__file__)).parents[1]
    others = filter(None, [os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(root), *others]))
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    made = Project(pytester)
    made.write("pytest.ini", "[pytest]\n")
    made.write("suites/ci.yaml", SUITE)
    made.write("tests/test_own.py", "def test_own():\n    assert True\n")
    return made
