"""A result is kept under the kernel that ran, not the one that was planned."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.execution.cell_cache import CellCache
from harness.execution.plan import PlannedCell, make_plan
from harness.results.run import Run
from harness.suite.load import load_suite
from reference_impl.native.build import Native, _compiler, planned_kernel


@pytest.fixture
def suite(tmp_path: Path, tiny_suite: str) -> Path:
    """Perplexity at int8 alone, which asks for the kernel."""
    if planned_kernel().library is None:
        pytest.skip("no compiled kernel here")
    path = tmp_path / "tiny.yaml"
    lines = [line for line in tiny_suite.split("\n") if "inference" not in line and "memory" not in line]
    path.write_text("\n".join(lines).replace("[fp32, int8]", "[int8]").partition("analyse:")[0])
    return path


def planned(suite: Path) -> PlannedCell:
    (cell,) = make_plan(load_suite(str(suite))).cells
    return cell


def test_a_worker_that_runs_another_kernel_than_planned_stores_under_the_one_that_ran(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = planned(suite)
    with monkeypatch.context() as patch:
        patch.setattr("harness.execution.plan.planned_kernel", lambda: Native(None, "it was broken then"))
        wrong = planned(suite)
        assert wrong.kernel == "none" and wrong.key != right.key
        run = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
        (cell,) = run.cells
        assert (cell.key, cell.planned) == (right.key, wrong.key)
        assert cell.conditions["kernel"] == right.kernel == cell.conditions["launches"][0]["kernel"]
        assert any("the compiled kernel none was planned" in note for note in cell.notes)
        assert not CellCache().has(wrong.key) and CellCache().has(right.key)
        assert run.damage == [] and {record.key for record in cell.records} == {right.key}
        again = harness.run(str(run.folder), resume=True)
        assert [one.measured for one in again.cells] == [cell.measured], "it is there: nothing is measured again"
    known = harness.run(str(suite), out=tmp_path / "runs")
    assert known.cells[0].source == "cache" and known.cells[0].planned is None


def test_a_compiler_that_fails_has_not_the_key_of_one_that_works(
    finished_run: Run, suite: Path, tmp_path: Path, test_cache: Path
) -> None:
    """It tells the version of the real one. What ran without the kernel is not taken for what runs with it."""
    version = subprocess.run([str(_compiler()), "--version"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "version").write_text(version)
    broken = tmp_path / "bin" / "g++"
    broken.parent.mkdir()
    tells = f'[ "$1" = --version ] && exec cat {tmp_path / "version"}'
    broken.write_text(f"#!/bin/sh\n{tells}\necho no memory >&2; exit 1\n")
    broken.chmod(0o755)
    environment = os.environ | {
        "CXX": str(broken),
        "HARNESS_CACHE": str(shutil.copytree(test_cache, tmp_path / "cache")),
        "XDG_CACHE_HOME": str(tmp_path / "no kernel yet"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    out = tmp_path / "runs"
    command = [sys.executable, "-m", "harness", "run", str(suite), "--out", str(out)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    (folder,) = out.iterdir()
    (cell,) = Run(folder).cells
    assert cell.conditions["kernel"] == "none" and cell.planned is None and cell.source == "measured"
    assert cell.conditions["launches"][0]["kernel"] == "none"
    works = planned(suite)
    assert works.kernel != "none" and works.key != cell.key
