"""The page of `harness perplexity` and `harness bench`: every line in it is accepted, small."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

import harness as package
from harness.benchmarking.pairing import Compared, Pairing
from harness.statistics.intervals import Interval
from tests.harness.cli.test_cli import harness

PAGE = (Path(package.__file__).parents[1] / "docs" / "bench.md").read_text()
SMALL = {"512": "16", "128": "4", "1,8": "1", "20": "2", "asset:smollm2-135m-instruct": "model-a"}


@pytest.fixture
def models(llama_folder: Path, gpt2_folder: Path) -> None:
    shutil.copytree(llama_folder, "model-a")
    shutil.copytree(gpt2_folder, "model-b")
    Path("notes.txt").write_text("The cat sat on the mat.\n" * 9)


def _compared(pairing: Pairing, **settings: Any) -> Compared:
    return Compared(Interval(0.5, 0.4, 0.6, pairing.launches), None, "by hand", "launches", None)


def _lines() -> list[list[str]]:
    (block,) = re.findall(r"```\n(.*?)```", PAGE, re.S)
    return [[SMALL.get(word, word) for word in shlex.split(line)] for line in block.splitlines()]


def test_the_lines_run(capsys: pytest.CaptureFixture[str], models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.benchmarking.side_by_side.compare_in_lockstep", _compared)
    lines = _lines()
    assert [line[1] for line in lines] == ["perplexity", "perplexity", "bench"]
    for line in lines:
        code, out, error = harness(capsys, *line[1:])
        assert code == 0, error
    assert "2 comparisons in lockstep, of 6 launches each" in error
    assert "side by side" in out and "faster" in out and "6 launches" in out
