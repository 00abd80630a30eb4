"""What is read from disk: a checkpoint, each file checked against its hash, and a run folder of many cells."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.results.run import Run
from harness.results.run_folder import CELLS
from reference_impl.model.gpt import GPT
from reference_impl.training.checkpoint import load_checkpoint
from tests.harness.builders import cell_result, speed_measurements, write_run


@pytest.mark.benchmark(group="loading")
def test_a_checkpoint(benchmark: BenchmarkFixture, checkpoint: Path, gpt: GPT) -> None:
    """11M weights in fp32."""
    found = benchmark(load_checkpoint, checkpoint).model.state_dict()
    expected = gpt.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.benchmark(group="loading")
def test_a_run_folder(benchmark: BenchmarkFixture, tmp_path: Path, timed: bool) -> None:
    """A thousand cells with six records each, read, checked and made one table."""
    cells = [
        cell_result(
            tmp_path,
            "nano",
            "inference",
            {"precision": "int8", "device": "cpu", "threads": 2},
            {"prompt": 128, "generate": 64, "batch": batch},
            speed_measurements("nano", "int8", batch),
        )
        for batch in range(1, (1000 if timed else 20) + 1)
    ]
    folder = write_run(tmp_path / "run", cells=cells).folder
    found: pd.DataFrame = benchmark(lambda: Run(folder).records)
    written = [json.loads(line)["records"] for line in (folder / CELLS).read_text().splitlines()]
    expected = [(record["settings"]["batch"], record["metric"], record["value"]) for cell in written for record in cell]
    assert list(zip(found["batch"], found["metric"], found["value"], strict=True)) == expected
    assert len(found) == 6 * len(cells)
