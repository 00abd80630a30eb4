"""What a result says of what measured it; runs that neither take from the cache nor leave anything there; a launch that
fails after others ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.app import app
from harness.errors import ExitCode
from harness.execution.cell_cache import CellCache
from harness.execution.events import CellStarted, Event
from harness.execution.requests import Answer, Collect, Request, Step
from harness.execution.worker import Worker
from harness.results.exit_code import exit_code
from harness.results.find import find_run
from harness.results.record import CellResult, Status
from harness.results.run import Run

COMMIT = "c" * 40


@pytest.fixture
def suite(tmp_path: Path, tiny_suite: str, finished_run: Run) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite)
    return path


def of(run: Run, measure: str, precision: str = "fp32") -> CellResult:
    (found,) = (cell for cell in run.cells if (cell.measure, cell.axes["precision"]) == (measure, precision))
    return found


def test_a_result_says_what_measured_it(finished_run: Run) -> None:
    manifest = finished_run.manifest
    for cell in finished_run.cells:
        made = cell.provenance
        assert made is not None and made.packages is not None
        assert (made.run, made.run_id, made.time) == (finished_run.name, manifest.id, cell.measured)
        assert made.commit == manifest.git.get("commit") and made.dirty == manifest.git.get("dirty")
        assert made.packages["torch"].version == manifest.fingerprint["packages"]["torch"]
        assert {"harness", "reference_impl", "numpy"} <= made.packages.keys()
        assert all(len(package.digest) == 16 for package in made.packages.values()), "no launch ran other code"
    digests = {made.packages["harness"].digest for cell in finished_run.cells if (made := cell.provenance)}  # type: ignore[index]
    assert len(digests) == 1, "whatever of it a worker had imported"


def test_what_a_cell_read_is_named(finished_run: Run, story: Path) -> None:
    (read,) = of(finished_run, "perplexity").read or ()
    assert (read.kind, read.name) == ("text", str(story)) and read.digest
    assert of(finished_run, "memory").read == ()


def test_a_result_from_the_cache_says_whose_it_is(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.workflow.git_state", lambda: {"commit": COMMIT, "dirty": True})
    again = harness.run(str(suite), out=tmp_path / "runs")
    assert again.manifest.git["commit"] == COMMIT
    for cell in again.cells:
        assert cell.source == "cache" and cell.provenance is not None
        assert cell.provenance.run_id != again.manifest.id and cell.provenance.commit != COMMIT
    assert set(again.records["commit"]) == {of(again, "memory").provenance.commit}  # type: ignore[union-attr]
    suite.write_text(suite.read_text().replace("context: 32", "context: 40"))
    now = harness.run(str(suite), out=tmp_path / "runs")
    made = of(now, "memory").provenance
    assert made is not None and (made.run_id, made.commit, made.dirty) == (now.manifest.id, COMMIT, True)
    assert set(now.records.query("measure == 'memory'")["commit"]) == {COMMIT}


def test_a_result_of_an_earlier_version_says_nothing(finished_run: Run) -> None:
    line = json.loads(of(finished_run, "memory").model_dump_json())
    del line["provenance"], line["read"]
    old = CellResult.model_validate(line)
    assert old.provenance is None and old.read is None


def test_code_that_changes_between_launches_is_said_and_not_kept(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Worker.ask
    asked: list[Request] = []

    def edited(worker: Worker, request: Request, on_step: Callable[[Step], None] | None = None) -> Answer:
        answer = real(worker, request, on_step)
        asked.append(request)
        packages = getattr(answer, "packages", {})
        if "torch" in packages:
            packages["torch"] = packages["torch"].model_copy(update={"digest": f"{len(asked):016x}"})
        return answer

    suite.write_text(only_memory(suite, launches=2))
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "ask", edited)
        run = harness.run(str(suite), out=tmp_path / "runs")
    (note,) = of(run, "memory").notes
    assert note.startswith("the code changed while it was measured (torch): ")
    assert of(harness.run(str(suite), out=tmp_path / "runs"), "memory").source == "measured"


def only_memory(suite: Path, launches: int) -> str:
    """The suite with the cells of memory alone, at fp32."""
    head = suite.read_text().partition("measures:")[0].replace("[fp32, int8]", "fp32")
    return f"{head}measures:\n  - memory: {{context: 24, launches: {launches}}}\n"


def files_of_cells() -> dict[str, bytes]:
    root = CellCache()._root
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_without_the_cache_nothing_is_taken_and_nothing_left(suite: Path, tmp_path: Path) -> None:
    before = files_of_cells()
    assert before, "these very cells are known"

    def stops(event: Event) -> None:
        if isinstance(event, CellStarted) and event.cell.measure == "inference":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harness.run(str(suite), out=tmp_path / "runs", cached=False, on_event=stops)
    (folder,) = (tmp_path / "runs").iterdir()
    assert Run(folder).manifest.cached is False and Run(folder).cells
    run = harness.run(str(folder), out=tmp_path / "runs", resume=True)
    assert len(run.cells) == 6 and {cell.source for cell in run.cells} == {"measured"}
    assert all(cell.provenance is not None and cell.provenance.run_id == run.manifest.id for cell in run.cells)
    assert files_of_cells() == before
    trained = {summary["path"] for summary in run.manifest.models.values()}
    assert all(Path(path).is_dir() for path in trained), "what is trained is kept"
    with_it = harness.run(str(suite), out=tmp_path / "runs")
    assert {cell.source for cell in with_it.cells} == {"cache"} and with_it.manifest.cached
    assert not any(map(with_it.measured, with_it.cells)) and all(map(run.measured, run.cells))


def test_what_a_run_took_from_the_cache_is_measured_when_it_goes_on_without(suite: Path, tmp_path: Path) -> None:
    suite.write_text(only_memory(suite, launches=1).replace("24", "32"))
    with_it = harness.run(str(suite), out=tmp_path / "runs")
    assert {cell.source for cell in with_it.cells} == {"cache"}
    run = harness.run(str(with_it.folder), out=tmp_path / "runs", resume=True, cached=False)
    assert run.folder == with_it.folder and {cell.source for cell in run.cells} == {"measured"}
    assert run.manifest.cached is False and all(map(run.measured, run.cells))


def test_the_command_says_so_too(suite: Path, tmp_path: Path) -> None:
    suite.write_text(only_memory(suite, launches=1).replace("24", "26"))
    for options, source in (
        (["--no-cache"], "measured"),
        ([], "measured"),
        ([], "cache"),
        (["--no-cache"], "measured"),
    ):
        with pytest.raises(SystemExit) as ended:
            app(["run", str(suite), "--out", str(tmp_path / "runs"), *options])
        (cell,) = find_run("latest", tmp_path / "runs").cells
        assert not ended.value.code and cell.source == source


@pytest.fixture
def third_dies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The third launch is killed in the middle, once."""
    real = Worker.ask
    asked: list[str] = []

    def dies(worker: Worker, request: Request, on_step: Callable[[Step], None] | None = None) -> Answer:
        if isinstance(request, Collect):
            asked.append(request.measure)
            if len(asked) == 3:
                worker.end_now()
        return real(worker, request, on_step)

    monkeypatch.setattr(Worker, "ask", dies)
    return asked


def test_a_launch_that_fails_costs_those_before_it_nothing(suite: Path, tmp_path: Path, third_dies: list[str]) -> None:
    suite.write_text(only_memory(suite, launches=5))
    run = harness.run(str(suite), out=tmp_path / "runs")
    (cell,) = run.cells
    assert len(third_dies) == 3 and cell.status is Status.OK and not cell.whole
    (lacking,) = cell.missing
    assert (lacking.reason or "").startswith("launch 3 of 5 failed: the worker process was ended by SIGKILL")
    assert lacking.status is Status.FAILED and lacking.metric is None
    peak = next(record for record in cell.records if record.metric == "peak_memory")
    assert peak.value and peak.n == 2 and set(run.samples_of(cell)["launch"]) == {1, 2}
    assert exit_code(run) is ExitCode.USAGE
    summary = (run.folder / "summary.md").read_text()
    assert "launch 3 of 5 failed" in summary and "2 launches, 3 give one" in summary, "what is there and what lacks"
    assert "launch 3 of 5 failed" in (run.folder / "report.html").read_text()
    assert not CellCache().has(cell.key), "half of it is not given out as a result"
    again = harness.run(str(suite), out=tmp_path / "runs", resume=True)
    (cell,) = again.cells
    assert again.folder == run.folder and cell.whole and cell.missing == []
    assert set(again.samples_of(cell)["launch"]) == {1, 2, 3, 4, 5} and len(third_dies) == 8


def test_known_bad_half_of_the_launches_that_can_t_be_summed_up_are_not_kept(
    suite: Path, tmp_path: Path, third_dies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for the next try would be summed up as if it were all."""

    def fails(*given: object) -> Any:
        raise ValueError("odd")

    suite.write_text(only_memory(suite, launches=4))
    monkeypatch.setattr("harness.execution.cell_results.CellResults._of", fails)
    (cell,) = harness.run(str(suite), out=tmp_path / "runs").cells
    assert cell.status is Status.FAILED and CellCache().kept(cell.key) is None


def test_the_first_launch_that_fails_fails_the_cell(
    suite: Path, tmp_path: Path, third_dies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    third_dies += ["", ""]
    suite.write_text(only_memory(suite, launches=3))
    (cell,) = harness.run(str(suite), out=tmp_path / "runs").cells
    assert cell.status is Status.FAILED and (cell.reason or "").startswith("the worker process was ended by SIGKILL")
    assert cell.provenance is not None and cell.provenance.packages is None


def test_evidence_of_an_earlier_run_stays_its_own(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that could not be summed up are summed up by the next run, which did not measure them."""

    def fails(*given: object) -> Any:
        raise ValueError("odd")

    suite.write_text(only_memory(suite, launches=1).replace("24", "28"))
    with monkeypatch.context() as patch:
        patch.setattr("harness.execution.cell_results.CellResults._of", fails)
        first = harness.run(str(suite), out=tmp_path / "runs")
    second = harness.run(str(suite), out=tmp_path / "runs")
    (cell,) = second.cells
    assert cell.status is Status.OK and cell.source == "measured" and cell.provenance is not None
    assert cell.provenance.run_id == first.manifest.id != second.manifest.id
    assert cell.provenance == first.cells[0].provenance and cell.measured == first.cells[0].measured
    assert not second.measured(cell)


def test_iterations_say_when_they_began(finished_run: Run, tmp_path: Path) -> None:
    cell = of(finished_run, "inference")
    began = list(finished_run.samples_of(cell)["time"])
    assert began == sorted(began) and len(began) == 3
    launch = cell.conditions["launches"][0]
    assert launch["before"]["time_s"] - 0.01 <= began[0] <= began[-1] <= launch["after"]["time_s"] + 0.01
