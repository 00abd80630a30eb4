"""Every hot path's check sees a result that is wrong: each is run with what it computed spoiled, and must fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SPOILING = """
from dataclasses import replace
from functools import singledispatch

import pandas as pd
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.analysis.scaling.fitting.fit import Fit
from harness.execution.plan import Plan
from reference_impl.training.checkpoint import Checkpoint


@singledispatch
def spoiled(found):
    raise TypeError(type(found))

@spoiled.register
def _(found: torch.Tensor):  # logits of another token's place in the vocabulary
    return found.roll(1, -1)

@spoiled.register
def _(found: list):  # scores of the neighboring request
    return found[1:] + found[:1]

@spoiled.register
def _(found: Fit):
    return replace(found, value=found.value * 1.01)

@spoiled.register
def _(found: Plan):
    cells = [replace(cell, key=found.cells[0].key) for cell in found.cells]
    return replace(found, cells=cells)

@spoiled.register
def _(found: Checkpoint):
    with torch.no_grad():
        next(found.model.parameters())[0, 0] += 1e-3
    return found

@spoiled.register
def _(found: pd.DataFrame):
    return found.assign(value=found["value"].shift(fill_value=0.0))

@spoiled.register
def _(found: str):
    return ""

BenchmarkFixture.__call__ = lambda self, function, *given, **named: spoiled(function(*given, **named))
"""


@pytest.mark.slow
def test_each_check_sees_a_wrong_result(tmp_path: Path) -> None:
    (tmp_path / "spoiling.py").write_text(SPOILING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benchmarks/hot_paths",
        "-p",
        "spoiling",
        "--tb=line",
        "-p",
        "no:warnings",
    ]
    command += [f"--basetemp={tmp_path / 'bt'}", "-o", f"pythonpath={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "15 failed in" in done.stdout, done.stdout
    assert "TypeError" not in done.stdout, done.stdout
