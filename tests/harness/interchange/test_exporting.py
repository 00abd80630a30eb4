"""A run as pytest-benchmark's JSON: the numbers come back when it is imported, and pytest-benchmark compares it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

import harness
from harness.errors import UserError
from harness.interchange.round_statistics import round_statistics
from harness.results.run import Run
from tests.harness.interchange import foreign_files as files

SECONDS = st.lists(st.floats(1e-9, 1e4), min_size=1, max_size=12)


@given(data=SECONDS)
def test_statistics_are_those_of_pytest_benchmark(data: list[float]) -> None:
    theirs = Stats()
    for value in data:
        theirs.update(value)
    assert round_statistics(data) == theirs.as_dict()


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))


def numbers(run: Run) -> list[tuple[Any, ...]]:
    return [
        (cell.model, tuple(cell.settings.values()), one.metric, one.value) for cell in run.cells for one in cell.records
    ]


@settings(max_examples=10)
@given(rounds=SECONDS)
def test_what_is_exported_comes_back(rounds: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("trip")
    told = files.pytest_benchmark(tuple(rounds))
    run = harness.import_results(files.write(folder / "a.json", told), out=folder / "runs")
    text = harness.export_results(run, to="pytest-benchmark")
    (folder / "b.json").write_text(text)
    again = harness.import_results(folder / "b.json", out=folder / "runs")
    assert numbers(again) == numbers(run)
    for a, b in zip(run.cells, again.cells, strict=True):
        assert run.samples_of(a).equals(again.samples_of(b))
    ours = json.loads(text)
    theirs = [{**one, "options": {}, "params": one["params"]} for one in told["benchmarks"]]
    assert ours["benchmarks"] == theirs
    assert again.manifest.git == run.manifest.git and again.manifest.started == run.manifest.started
    assert again.manifest.fingerprint_class == run.manifest.fingerprint_class


@pytest.mark.parametrize("name", ["google-benchmark", "llama-bench", "asv", "pyperf", "hyperfine", "optimum-benchmark"])
def test_every_import_with_rounds_is_exported(name: str, tmp_path: Path) -> None:
    run = harness.import_results(files.write(tmp_path / "a", files.JSON[name]()), out=tmp_path / "runs")
    told = json.loads(harness.export_results(run, to="pytest-benchmark"))
    names = [one["fullname"] for one in told["benchmarks"]]
    assert names and len(set(names)) == len(names)
    again = harness.import_results(files.write(tmp_path / "b", told), out=tmp_path / "runs")
    assert len(again.cells) == len(names)


def test_our_own_runs(finished_run: Run) -> None:
    told = json.loads(harness.export_results(finished_run, to="pytest-benchmark"))
    by_name = {one["fullname"]: one["stats"] for one in told["benchmarks"]}
    cell = next(one for one in finished_run.cells if one.measure == "inference" and one.axes["precision"] == "fp32")
    name = next(one for one in by_name if one.startswith("tiny ttft[precision=fp32-"))
    rows = finished_run.samples_of(cell)
    assert by_name[name]["data"] == rows["ttft_s"].tolist()
    assert by_name[name]["median"] * 1e3 == pytest.approx(
        next(one.value for one in cell.records if one.metric == "ttft")
    )
    steps = next(stats for one, stats in by_name.items() if one.startswith("tiny tpot[precision=fp32-"))
    assert steps["data"] == [statistics.fmean(one) for one in rows["step_s"]]
    assert told["machine_info"]["cpu"]["brand_raw"] == finished_run.manifest.fingerprint["cpu_model"]


def test_pytest_benchmark_compares_what_is_exported(tmp_path: Path, finished_run: Run) -> None:
    for at, factor in enumerate((1.0, 2.0)):
        told = files.pytest_benchmark((0.001 * factor, 0.002 * factor))
        run = harness.import_results(files.write(tmp_path / f"{at}.in", told), out=tmp_path / "runs")
        (tmp_path / f"run{at}.json").write_text(harness.export_results(run, to="pytest-benchmark"))
    (tmp_path / "ours.json").write_text(harness.export_results(finished_run, to="pytest-benchmark"))
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "run0.json", "run1.json", "ours.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for name in ("test_plain (run0)", "test_plain (run1)", "test_n[10] (run1)", "tiny ttft["):
        assert name in done.stdout, done.stdout + done.stderr
    assert "Failed to load" not in done.stdout + done.stderr


def test_what_can_not_be_exported(tmp_path: Path) -> None:
    run = harness.import_results(files.write(tmp_path / "a", files.lm_eval()), out=tmp_path / "runs")
    with pytest.raises(UserError, match="no cell of this run has times"):
        harness.export_results(run, to="pytest-benchmark")
    with pytest.raises(UserError, match="no format 'asv'"):
        harness.export_results(run, to="asv")
