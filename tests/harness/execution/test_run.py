"""One run from YAML to report, and what happens to it when cells, workers, runs and disks fail. Nothing is simulated
but the full disk."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

import harness
from harness import workflow as running
from harness.cli.progress import RunProgress
from harness.errors import ExitCode, UserError
from harness.execution.cell_cache import CellCache
from harness.execution.events import CellEnded, CellStarted, Event, Preparing
from harness.execution.requests import Collect, Request
from harness.execution.worker import Worker
from harness.measures.registry import MEASURES
from harness.report.environment import warnings
from harness.results.exit_code import exit_code
from harness.results.find import find_run
from harness.results.instructions import ATEN_VARIABLE, ONEDNN_VARIABLES, OTHERS
from harness.results.journal import Journal
from harness.results.new_folder import new_folder
from harness.results.record import Measurement, Status
from harness.results.run import Run


@pytest.fixture
def suite(tmp_path: Path, tiny_suite: str) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite)
    return path


def test_a_suite_becomes_records_findings_outcomes_and_reports(finished_run: Run) -> None:
    assert finished_run.manifest.status == "finished"
    assert [cell.status for cell in finished_run.cells] == [Status.OK] * 6
    frame = finished_run.records
    for metric in ("perplexity", "bits_per_byte", "ttft", "tpot", "mfu", "mbu", "weight_bytes", "peak_memory"):
        values = frame.loc[frame["metric"] == metric, "value"]
        assert len(values) == 2, metric
        assert (values > 0).all(), metric
    by_precision = frame[frame["metric"] == "weight_bytes"].set_index("precision")["value"]
    assert by_precision["int8"] < 0.5 * by_precision["fp32"]
    assert set(frame["run"]) == {finished_run.name} and set(frame["suite"]) == {finished_run.manifest.suite}
    assert set(frame["commit"]) == {finished_run.manifest.git.get("commit")}
    assert list(frame["time"]) == [cell.measured for cell in finished_run.cells for _ in cell.records]
    assert (
        frame.loc[frame["metric"] == "perplexity", "low"] < frame.loc[frame["metric"] == "perplexity", "value"]
    ).all()
    assert {item.outcome for item in finished_run.expectations} == {"met"}
    assert finished_run.findings
    for name in ("report.html", "summary.md", "records.parquet"):
        assert (finished_run.folder / name).stat().st_size > 0
    assert exit_code(finished_run) is ExitCode.PASS
    summary = finished_run.manifest.models["tiny"]
    assert summary["tokens"] >= 4000
    assert summary["validation_loss"] > 0


def test_every_number_can_be_made_again_from_its_samples(finished_run: Run) -> None:
    cell = next(cell for cell in finished_run.cells if cell.measure == "perplexity")
    samples = finished_run.samples_of(cell)
    loss = next(record for record in cell.records if record.metric == "loss")
    assert loss.value == pytest.approx(samples["nll"].sum() / samples["tokens"].sum())
    assert loss.n == len(samples) == 20


def test_a_second_run_measures_nothing_and_says_the_same(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    again = harness.run(str(suite), out=tmp_path / "runs", on_event=events.append)
    assert not [event for event in events if isinstance(event, CellStarted | Preparing)]
    assert {cell.source for cell in again.cells} == {"cache"}
    assert again.records["value"].tolist() == finished_run.records["value"].tolist()
    assert not again.samples_of(again.cells[0]).empty


def test_times_of_a_busy_machine_are_shown_and_not_kept(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sources() -> dict[str, set[str]]:
        run = harness.run(str(suite), out=tmp_path / "runs")
        assert {cell.status for cell in run.cells} == {Status.OK}
        measures = {cell.measure for cell in run.cells}
        return {measure: {cell.source for cell in run.cells if cell.measure == measure} for measure in measures}

    suite.write_text(suite.read_text().replace("iterations: 3", "iterations: 4"))  # cells of this test's own
    quiet = {"perplexity": {"cache"}, "memory": {"cache"}}
    monkeypatch.setattr("harness.execution.cell_results.most_taken", lambda launches, cores: 0.5)
    assert sources()["inference"] == {"measured"}
    monkeypatch.setattr("harness.execution.cell_results.most_taken", lambda launches, cores: 0.01)
    assert sources() == quiet | {"inference": {"measured"}}
    monkeypatch.setattr("harness.execution.cell_results.most_taken", lambda launches, cores: 0.5)
    assert sources() == quiet | {"inference": {"cache"}}
    harness.run(str(suite), out=tmp_path / "runs", fresh=True)  # noise does not replace what is known
    assert sources() == quiet | {"inference": {"cache"}}


def test_a_known_time_says_when_it_was_measured(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    said = StringIO()
    with RunProgress(Console(file=said, width=200)) as progress:
        again = harness.run(str(suite), out=tmp_path / "runs", on_event=progress)
    lines = [line for line in said.getvalue().splitlines() if line.startswith("[")]
    first = finished_run.cells[-1].measured
    assert first is not None and len(lines) == 2, "times alone"
    assert all("inference" in line and f"(measured {first[:10]}" in line and "others took 0%" in line for line in lines)
    assert f"2 speed cells are known from earlier runs and were measured {first[:10]}, not now" in warnings(again)


def test_cells_made_with_another_kernel_are_not_taken_from_the_cache(
    finished_run: Run, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = harness.plan(str(suite))
    monkeypatch.setenv("GPT_NATIVE", "1" if os.environ.get("GPT_NATIVE") == "0" else "0")
    without = harness.plan(str(suite))
    assert set(plan["estimate"]) == {"measured before"}
    assert "measured before" not in set(without.loc[without["measure"].isin(("perplexity", "memory")), "estimate"])


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("ATEN_CPU_CAPABILITY", "default", False),
        ("ONEDNN_MAX_CPU_ISA", "SSE41", False),
        ("DNNL_MAX_CPU_ISA", "SSE41", False),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", False),
        ("ATEN_CPU_CAPABILITY", "no such level", True),
        ("ONEDNN_MAX_CPU_ISA", "DEFAULT", True),
        ("OMP_NUM_THREADS", "1", True),
    ],
)
def test_quality_computed_with_other_instructions_is_not_taken_from_the_cache(
    finished_run: Run, suite: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, known: bool
) -> None:
    for variable in (ATEN_VARIABLE, *ONEDNN_VARIABLES, *OTHERS):
        if variable in os.environ:
            pytest.skip(f"{variable} is set, so the run that is known was made with it")
    monkeypatch.setenv(name, value)
    plan = harness.plan(str(suite))
    quality = plan[plan["measure"] == "perplexity"]
    assert set(quality["cached"]) == {known}


def test_fresh_measures_again_and_quality_is_bitwise_the_same(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    suite.write_text(suite.read_text().split("  - inference")[0])
    again = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
    assert {cell.source for cell in again.cells} == {"measured"}
    quality = finished_run.records[finished_run.records["measure"] == "perplexity"]
    assert again.records["value"].tolist() == quality["value"].tolist()


def test_an_unmet_expectation_is_exit_code_1_and_an_undecided_one_3(
    finished_run: Run, suite: Path, tmp_path: Path
) -> None:
    text = suite.read_text()
    suite.write_text(text.replace("at_most: 300", "at_most: 1.5"))
    assert exit_code(harness.run(str(suite), out=tmp_path / "runs")) is ExitCode.UNMET
    frame = finished_run.records
    middle = frame.loc[(frame["metric"] == "perplexity") & (frame["precision"] == "fp32"), "value"].iloc[0]
    suite.write_text(text.replace("at_most: 300", f"at_most: {middle}"))
    assert exit_code(harness.run(str(suite), out=tmp_path / "runs")) is ExitCode.INCONCLUSIVE


def test_a_model_that_can_t_be_opened_fails_its_cells_and_the_rest_goes_on(
    finished_run: Run, suite: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(finished_run.manifest.models["tiny"]["path"], broken)
    weights = bytearray((broken / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (broken / "model.safetensors").write_bytes(weights)
    suite.write_text(suite.read_text().replace("models:\n", f"models:\n  broken: {{reference: {broken}}}\n"))
    run = harness.run(str(suite), out=tmp_path / "runs")
    by_model = {cell.model: cell.status for cell in run.cells}
    assert by_model == {"tiny": Status.OK, "broken": Status.FAILED}
    reasons = {cell.reason for cell in run.cells if cell.model == "broken"}
    assert all("model.safetensors" in str(reason) for reason in reasons)
    assert run.records.loc[run.records["model"] == "broken", "status"].unique().tolist() == ["failed"]
    assert exit_code(run) is ExitCode.USAGE


def test_a_cell_that_does_not_fit_the_model_is_skipped_with_its_reason(
    finished_run: Run, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(suite.read_text().replace("{context: 32}", "{context: 4096}"))
    run = harness.run(str(suite), out=tmp_path / "runs")
    skipped = [cell for cell in run.cells if cell.status is Status.SKIPPED]
    assert {cell.measure for cell in skipped} == {"memory"}
    assert "4096" in str(skipped[0].reason)
    assert exit_code(run) is ExitCode.PASS


def test_two_names_for_one_result_are_two_cells_measured_once(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    checkpoint = finished_run.manifest.models["tiny"]["path"]
    text = suite.read_text().split("  - inference")[0].replace("threads: 1", "threads: [1, 2]")
    suite.write_text(
        text.replace("models:\n", f"models:\n  a: {{reference: {checkpoint}}}\n  b: {{reference: {checkpoint}}}\n")
    )
    events: list[Event] = []
    run = harness.run(str(suite), out=tmp_path / "runs", fresh=True, on_event=events.append)
    assert len(run.cells) == 3 * 2 * 2
    assert {(cell.model, cell.axes["threads"]) for cell in run.cells} == {
        (model, threads) for model in ("a", "b", "tiny") for threads in (1, 2)
    }
    started = [event for event in events if isinstance(event, CellStarted)]
    assert len(started) == 2 * 2  # two digests (the checkpoint's, and that of what trained `tiny`) at two precisions


def test_a_full_cache_loses_no_result(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("harness.execution.cell_cache.CellCache.store", full)
    suite.write_text(suite.read_text().split("  - inference")[0])
    run = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
    assert [cell.status for cell in run.cells] == [Status.OK] * 2
    assert "could not be kept" in (run.folder / "worker.log").read_text()


def test_a_cache_in_which_nothing_can_be_locked_stops_no_run(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test_cache: Path
) -> None:
    """As one that may only be read."""
    shutil.copytree(test_cache, tmp_path / "cache", ignore=shutil.ignore_patterns("locks"))
    (tmp_path / "cache" / "locks").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    runs = [harness.run(str(suite), out=tmp_path / "runs") for _ in range(2)]
    assert [run.manifest.sequence for run in runs] == [1, 2]
    assert all(cell.source == "cache" for run in runs for cell in run.cells if cell.status is Status.OK)


def test_the_latest_run_is_the_one_that_began_last_whatever_the_clock_says(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.run(str(suite), out=tmp_path)

    class Earlier(running.datetime):
        @classmethod
        def now(cls, zone: object = None) -> running.datetime:
            return running.datetime(2001, 1, 1, tzinfo=running.UTC)

    monkeypatch.setattr(running, "datetime", Earlier)
    second = harness.run(str(suite), out=tmp_path)
    assert second.manifest.sequence == 2 and second.manifest.started.startswith("2001")
    assert find_run("latest", tmp_path).folder == second.folder


def test_a_cut_off_trained_model_is_trained_again(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    weights = Path(finished_run.manifest.models["tiny"]["path"], "model.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    run = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
    assert {cell.status for cell in run.cells} == {Status.OK}
    assert weights.read_bytes() == whole


def workers() -> list[psutil.Process]:
    """The worker processes of this process: children of its fork server."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    servers = [child for child in alive if "multiprocessing.forkserver" in " ".join(child.cmdline())]
    return [worker for server in servers for worker in server.children()]


def test_kill_9_in_a_cell_loses_that_cell_alone(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    """One of each measure: in the worker that quality cells share, and in those of speed and memory."""
    measures = ["perplexity", "inference", "memory"]
    victims, begin = list(measures), Worker.begin

    def killed(worker: Worker, request: Request) -> None:
        """Stopped, given its work, and killed: it has it and does nothing, however quick or busy the machine is."""
        if not isinstance(request, Collect) or request.measure not in victims:
            return begin(worker, request)
        victims.remove(request.measure)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        begin(worker, request)
        os.kill(worker.pid, signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "begin", killed)
        run = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
    failed = [cell for cell in run.cells if cell.status is not Status.OK]
    assert sorted((cell.measure, cell.status) for cell in failed) == [(one, Status.FAILED) for one in sorted(measures)]
    assert all("SIGKILL" in str(cell.reason) for cell in failed)
    assert len(run.cells) == 6
    resumed_events: list[Event] = []
    mark_interrupted(run)
    resumed = harness.run(str(run.folder), resume=True, fresh=True, on_event=resumed_events.append)
    again = [event.cell.measure for event in resumed_events if isinstance(event, CellEnded)]
    assert sorted(again) == sorted(measures)
    assert {cell.status for cell in resumed.cells} == {Status.OK}
    assert exit_code(resumed) is ExitCode.PASS


def mark_interrupted(run: Run) -> None:
    Journal(run.folder).write_manifest(run.manifest.model_copy(update={"status": "interrupted"}))


def start(suite: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "run", str(suite), "--out", str(out), *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests that run in the background were told to ignore interrupts, and would hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_cells(out: Path, count: int, within: float = 600.0) -> Path:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for path in out.glob("*/cells.jsonl"):
            if path.read_bytes().count(b"\n") >= count:
                return path
        time.sleep(0.02)
    raise AssertionError("no cell ended in time")


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_goes_on_where_it_was(
    finished_run: Run, suite: Path, tmp_path: Path, kill: signal.Signals
) -> None:
    out = tmp_path / "runs"
    process = start(suite, out, "--fresh")
    cells = wait_for_cells(out, 2)
    process.send_signal(kill)
    _, errors = process.communicate(timeout=300)
    before = cells.read_bytes()
    done = before.count(b"\n")
    assert 2 <= done < 6
    if kill is not signal.SIGKILL:
        assert process.returncode == 130
        assert f"harness run --resume {cells.parent}" in errors
        assert "Traceback" not in errors
        assert Run(cells.parent).manifest.status == "interrupted"
    else:
        assert Run(cells.parent).status == "stopped"
    later = new_folder(out, Run(cells.parent).manifest.model_copy(update={"run": "later", "suite": "x"}))
    assert find_run("latest", out).name == "later"
    said = StringIO()
    with RunProgress(Console(file=said, width=200)) as progress:
        resumed = harness.run(str(suite), out=out, fresh=True, resume=True, on_event=progress)
    assert exit_code(resumed) is ExitCode.PASS
    assert cells.read_bytes().startswith(before)
    assert cells.read_bytes().count(b"\n") == 6
    assert Run(cells.parent).manifest.status == "finished"
    assert find_run("latest", out).name == cells.parent.name != later.folder.name, "the one that ran last"
    assert f"{done} done before" in said.getvalue()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space and run it again"),
        (errno.EDQUOT, "your quota of this disk is used up; free some space and run it again"),
        (errno.EFBIG, r"larger than a process may write here; raise the limit \(`ulimit -f`\) and run it again"),
    ],
)
def test_no_room_for_a_file_is_one_sentence_and_what_was_measured_is_kept(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    append, appended = Journal.append, []

    def full_after_two(journal: Journal, result, samples):  # type: ignore[no-untyped-def]
        if len(appended) == 2:
            raise OSError(number, os.strerror(number), str(journal.folder / "cells.jsonl"))
        appended.append(result)
        return append(journal, result, samples)

    monkeypatch.setattr(Journal, "append", full_after_two)
    with pytest.raises(UserError, match=f"cells.jsonl: .*{sentence}"):
        harness.run(str(suite), out=tmp_path / "runs")
    monkeypatch.undo()
    run = harness.run(str(suite), out=tmp_path / "runs", resume=True)
    assert len(run.cells) == 6
    assert run.manifest.status == "finished"


LIMITED = """
import resource, sys
from harness.cli.boundary import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
main()
"""


@pytest.mark.parametrize("size", [1000, 5000, 20_000, 26_000])
def test_a_limit_of_the_size_of_files_ends_in_one_sentence_and_loses_no_cell(
    finished_run: Run, suite: Path, test_cache: Path, tmp_path: Path, size: int
) -> None:
    """The manifest, the first lines, later ones, the records: whichever is the first that is too large."""
    runs = tmp_path / "runs"
    command = [sys.executable, "-c", LIMITED, str(size), "run", str(suite), "--out", str(runs)]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HARNESS_CACHE": str(test_cache)})
    (error,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert "a file would be larger than a process may write here; raise the limit (`ulimit -f`)" in error
    folders = list(runs.glob("*/manifest.json"))
    assert bool(folders) == (size > 1000)
    if folders:
        before = {cell.identity for cell in Run(folders[0].parent).cells}
        run = harness.run(str(suite), out=runs, resume=True)
        assert before <= {cell.identity for cell in run.cells} and len(run.cells) == 6 and run.damage == []


def test_a_run_folder_that_is_removed_meanwhile_is_one_sentence(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    events: list[Event] = []

    def removes(event: Event) -> None:
        events.append(event)
        if sum(isinstance(one, CellEnded) for one in events) == 2:
            shutil.rmtree(next((tmp_path / "runs").iterdir()), ignore_errors=True)

    with pytest.raises(UserError, match=r"the run folder was removed while the run went on; run the suite again"):
        harness.run(str(suite), out=tmp_path / "runs", on_event=removes)
    assert len(harness.run(str(suite), out=tmp_path / "runs").cells) == 6


def test_resume_tries_failed_cells_of_a_finished_run_again(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    """By the suite's name as by the folder's; what ended well is kept."""
    begin = Worker.begin

    def killed(worker: Worker, request: Request) -> None:
        if isinstance(request, Collect) and request.measure == "memory":
            worker.end_now()
        return begin(worker, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "begin", killed)
        run = harness.run(str(suite), out=tmp_path / "runs", fresh=True)
    assert run.manifest.status == "finished" and exit_code(run) is ExitCode.USAGE
    assert [cell.measure for cell in run.cells if cell.status is Status.FAILED] == ["memory"] * 2
    before = (run.folder / "cells.jsonl").read_bytes()
    events: list[Event] = []
    again = harness.run(str(suite), out=tmp_path / "runs", resume=True, on_event=events.append)
    assert again.folder == run.folder and (run.folder / "cells.jsonl").read_bytes().startswith(before)
    assert [event.cell.measure for event in events if isinstance(event, CellEnded)] == ["memory"] * 2
    assert [cell.status for cell in again.cells] == [Status.OK] * 6 and exit_code(again) is ExitCode.PASS
    with pytest.raises(UserError, match="no unfinished run of the suite 'tiny'"):
        harness.run(str(suite), out=tmp_path / "runs", resume=True)


def test_resume_refuses_what_it_can_t_go_on_with(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    with pytest.raises(UserError, match="no unfinished run of the suite 'tiny'"):
        harness.run(str(suite), out=out, resume=True)
    run = harness.run(str(suite), out=out)
    mark_interrupted(run)
    suite.write_text(suite.read_text().replace("iterations: 3", "iterations: 4"))
    with pytest.raises(UserError, match="the suite has changed since this run began"):
        harness.run(str(suite), out=out, resume=True)


def test_a_report_is_made_again_from_the_cells(finished_run: Run, tmp_path: Path) -> None:
    copy = tmp_path / finished_run.name
    shutil.copytree(finished_run.folder, copy)
    for name in ("report.html", "summary.md", "records.parquet", "findings.json", "expectations.json"):
        (copy / name).unlink()
    again = harness.make_report(str(copy))
    assert again.expectations == finished_run.expectations
    assert (copy / "summary.md").read_text() == (finished_run.folder / "summary.md").read_text().replace(
        str(finished_run.folder), str(copy)
    )
    assert (copy / "report.html").exists()


def test_answers_are_kept_until_their_numbers_are(
    finished_run: Run, tiny_suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be summed up was still answered: the next try reads it."""
    (tmp_path / "t.jsonl").write_text('{"q": "once", "a": "upon"}\n{"q": "there", "a": "was"}\n')
    (tmp_path / "t.yaml").write_text(
        "task: t\ndataset_path: t.jsonl\ntest_split: test\noutput_type: loglikelihood\n"
        "doc_to_text: q\ndoc_to_target: a\n"
    )
    head = tiny_suite.partition("matrix:")[0]
    path = tmp_path / "asks.yaml"
    path.write_text(head + f"tasks: {{paths: [{tmp_path}]}}\nmeasures:\n  - task: {{task: t}}\n")

    def fails(*given: object) -> list[Measurement]:
        raise ValueError("no sum")

    with monkeypatch.context() as patch:
        patch.setitem(MEASURES, "task", replace(MEASURES["task"], summarize=fails))
        (cell,) = harness.run(str(path), out=tmp_path / "runs").cells
    assert cell.status is Status.FAILED and "no sum" in (cell.reason or "")
    kept = CellCache().unfinished(cell.key)
    assert len(kept.read_text().splitlines()) == 2
    (cell,) = harness.run(str(path), out=tmp_path / "runs").cells
    assert cell.status is Status.OK and not kept.exists()
