"""What a worker says of the machine that it measured on, and what becomes of a result where that is not the plan's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness
from harness.execution.plan import make_plan
from harness.execution.prepare import prepare_peaks
from harness.execution.requests import MeasurePeaks, PeaksMeasured
from harness.models.training_evidence import training_evidence
from harness.results.fingerprint import fingerprint, imported_versions, other_than_planned
from harness.results.peaks import Peaks, cached_peaks
from harness.results.run import Run
from harness.suite.load import load_suite

ANOTHER = fingerprint().model_copy(update={"cpu_model": "another", "cores_allowed": 64})


def test_a_worker_says_what_it_ran_on_and_with(finished_run: Run) -> None:
    """Its own view, of the whole machine though it was pinned to a core of it."""
    machine = finished_run.manifest.fingerprint_class
    launches = [launch for cell in finished_run.cells for launch in cell.conditions["launches"]]
    assert launches and all(launch["class"] == machine and launch["other"] == [] for launch in launches)
    torch = finished_run.manifest.fingerprint["packages"]["torch"]
    assert {launch["imported"]["torch"].partition("+")[0] for launch in launches} == {torch.partition("+")[0]}
    assert all(launch["threads"] == 1 and launch["device"] and launch["aten"] for launch in launches)
    assert {record.fingerprint_class for cell in finished_run.cells for record in cell.records} == {machine}


def test_a_training_is_of_the_class_of_the_whole_machine(finished_run: Run) -> None:
    """It was trained with one thread, pinned to a core where there are several."""
    plan = make_plan(load_suite(str(finished_run.folder.parent.parent / "tiny.yaml")))
    evidence, _ = training_evidence(Path(plan.cells[0].source.path))
    assert evidence.threads == 1 and evidence.worker_class == finished_run.manifest.fingerprint_class


def test_a_result_of_another_machine_than_planned_says_so_and_is_not_kept(
    finished_run: Run, tmp_path: Path, tiny_suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "tiny.yaml"
    lines = [line for line in tiny_suite.partition("analyse:")[0].split("\n") if "inference" not in line]
    suite.write_text(
        "\n".join(lines)
        .replace("[fp32, int8]", "fp32")
        .replace("documents: 20", "documents: 17")
        .replace("context: 32", "context: 24")
    )
    with monkeypatch.context() as patch:
        patch.setattr("harness.execution.plan.fingerprint", lambda: ANOTHER)
        run = harness.run(str(suite), out=tmp_path / "runs")
        again = harness.run(str(suite), out=tmp_path / "runs")
    assert run.manifest.fingerprint_class == ANOTHER.class_id
    for cell in (*run.cells, *again.cells):
        (note,) = [note for note in cell.notes if "another machine" in note]
        assert f"cpu_model: another and {fingerprint().cpu_model}; cores_allowed: 64 and " in note
        assert note.endswith("the result is not kept for later runs") and cell.source == "measured"
        assert {record.fingerprint_class for record in cell.records} == {fingerprint().class_id}
    assert note in (again.folder / "summary.md").read_text().replace("\\", "")
    right = harness.run(str(suite), out=tmp_path / "runs")
    assert {cell.source for cell in right.cells} == {"measured"} and not any(cell.notes for cell in right.cells)
    known = harness.run(str(suite), out=tmp_path / "runs")
    assert {cell.source for cell in known.cells} == {"cache"}
    assert {record.fingerprint_class for cell in known.cells for record in cell.records} == {fingerprint().class_id}


def test_what_makes_another_class_is_named() -> None:
    here = fingerprint()
    assert here.differences(here) == [] and other_than_planned(here) == []
    changed = here.model_copy(
        update={
            "kernel": "9.9",
            "packages": here.packages | {"torch": "0.1", "pandas": "0.1"},
            "environment": here.environment | {"GPT_NATIVE": "0"},
        }
    )
    assert changed.differences(here) == [
        f"package torch: 0.1 and {here.packages['torch']}",
        "variable GPT_NATIVE: 0 and nothing",
    ]


def test_a_package_that_was_exchanged_while_the_run_went_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = fingerprint().model_copy(update={"packages": fingerprint().packages | {"tokenizers": "0.9.0"}})
    for imported, told in (
        ("0.9.1", ["imported tokenizers: 0.9.0 and 0.9.1"]),
        ("0.9.0", []),
        ("0.9.0+built.here", []),
    ):
        monkeypatch.setitem(sys.modules, "tokenizers", SimpleNamespace(__version__=imported))
        assert imported_versions()["tokenizers"] == imported
        assert other_than_planned(planned) == told


def test_peaks_are_kept_under_the_machine_that_they_were_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    peaks = Peaks(flops={"fp32": 1e9}, bandwidth=1e9)

    class OtherWorker:
        def __init__(self, *given: Any, **more: Any) -> None: ...

        def __enter__(self) -> OtherWorker:
            return self

        def __exit__(self, *error: object) -> None: ...

        def ask(self, request: MeasurePeaks) -> PeaksMeasured:
            return PeaksMeasured(peaks, "0123456789ab")

    monkeypatch.setattr("harness.execution.prepare.Worker", OtherWorker)
    assert prepare_peaks(fingerprint(), "cpu", 1, tmp_path / "log", lambda event: None) == peaks
    assert cached_peaks("0123456789ab", 1, "cpu") == peaks and cached_peaks(fingerprint().class_id, 1, "cpu") is None
