"""What is said of cells that need clearly more memory than there is, before they run and where they were ended."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.app import app
from harness.execution import memory_there
from harness.execution.executors import local
from harness.execution.plan import make_plan
from harness.execution.worker import Worker
from harness.results.record import Status
from harness.results.run import Run
from harness.suite.load import multiplied_out, parse_suite

SUITE = """
name: large
models:
  small: {{reference: nano, train: {{corpus: {story}, tokens: 4000}}, shape: {{width: 64, layers: 2}}}}
  large: {{reference: nano, train: {{corpus: {story}, tokens: 4000}}, shape: {{width: {width}, layers: 40}}}}
matrix: {{precision: [fp32, int8], device: cpu}}
measures:
  - perplexity: {{text: {story}}}
"""
INSTALLED = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def suite(story: Path, width: int) -> str:
    return SUITE.format(story=story, width=width)


def test_plan_says_which_cells_clearly_need_more_than_there_is(
    story: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large.yaml").write_text(suite(story, 64 * int((INSTALLED / 40 / 12 / 4) ** 0.5 / 8)))
    app(["plan", str(tmp_path / "large.yaml")], standalone_mode=False)
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(
        r"2 cells would take clearly more memory than there is here \([\d.]+ [GT]iB\), by estimate up to", told
    )
    assert "(large fp32" in told


def test_nothing_is_said_where_there_may_be_enough(story: Path) -> None:
    items = make_plan(multiplied_out(parse_suite(suite(story, 1024), "large.yaml"))).cells
    needed = [memory_there.needs_more(item, 0) for item in items]
    most = max(memory for memory in needed if memory is not None)
    assert memory_there.warning(items, int(most)) is None
    assert memory_there.warning(items, int(most / 1.4)) is None, "an estimate may be too high"
    assert str(memory_there.warning(items, int(most / 1.6))).startswith("2 cells would take clearly more memory"), (
        "their training does, at both precisions"
    )
    assert str(memory_there.warning(items, 1 << 20)).startswith("4 cells would")


GROUPS: dict[str, tuple[str, dict[str, str], int]] = {
    "none": ("", {}, INSTALLED),
    "no limit": ("0::/a/b\n", {"2/a/b/memory.max": "max\n"}, INSTALLED),
    "its own": ("0::/a/b\n", {"2/a/b/memory.max": "1000000\n", "2/a/memory.max": "max"}, 1_000_000),
    "above": ("0::/a/b\n", {"2/a/b/memory.max": "3000000\n", "2/a/memory.max": "2000000"}, 2_000_000),
    "a container": ("0::/\n", {"2/memory.max": "4000000\n"}, 4_000_000),
    "the first version": (
        "4:memory:/x\n3:cpu,cpuacct:/y\n0::/\n",
        {"1/x/memory.limit_in_bytes": "5000000\n", "1/y/memory.limit_in_bytes": "1"},
        5_000_000,
    ),
    "more than installed": ("0::/\n", {"2/memory.max": "9223372036854771712"}, INSTALLED),
    "odd": ("what\n\n0::/../..\n", {"2/memory.max": "many"}, INSTALLED),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_limit_of_a_container_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups, files, there = GROUPS[name]
    (tmp_path / "cgroup").write_text(groups)
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    monkeypatch.setattr(memory_there, "_GROUPS", tmp_path / "cgroup")
    roots = {version: (tmp_path / version, file) for version, (_, file) in memory_there._ROOTS.items()}
    monkeypatch.setattr(memory_there, "_ROOTS", roots)
    assert memory_there.memory_there() == there


def test_a_worker_that_the_system_ended_is_said_to_have_needed_too_much(
    finished_run: Run,
    tiny_suite: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begin, killed = Worker.begin, []

    def begun(worker: Worker, request: Any) -> None:
        if type(request).__name__ == "Collect" and not killed:
            killed.append(worker.pid)
            os.kill(worker.pid or 0, signal.SIGKILL)
        begin(worker, request)

    monkeypatch.setattr(Worker, "begin", begun)
    monkeypatch.setattr(local, "_oom_kills", lambda: len(killed))
    monkeypatch.setattr("harness.execution.preflight.memory.memory_there", lambda: 1 << 20)
    (tmp_path / "tiny.yaml").write_text(tiny_suite.split("  - inference")[0])
    run = harness.run(str(tmp_path / "tiny.yaml"), out=tmp_path / "runs", fresh=True)
    one, other = run.cells
    assert {one.status, other.status} == {Status.OUT_OF_MEMORY, Status.OK}
    (reason,) = [str(cell.reason) for cell in run.cells if cell.status is Status.OUT_OF_MEMORY]
    assert re.fullmatch(
        r"out of memory: the system ended the worker process; by estimate the cell takes [\d.]+ MiB, and there are "
        r"[\d.]+ [GT]iB here",
        reason,
    )
    assert "2 cells would take clearly more memory than there is here" in caplog.text
