"""What is read of each tool's file: names, numbers, units, launches, machine, commit and time."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import UserError
from harness.interchange.launches import ONE
from harness.measures.registry import declared
from harness.results.record import CellResult, Direction, Record, Status
from harness.results.run import Run
from tests.harness.interchange import foreign_files as files


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def imported(tmp_path: Path, *values: Any, **options: Any) -> Run:
    paths = [files.write(tmp_path / f"in/{number}.json", value) for number, value in enumerate(values)]
    return harness.import_results(*paths, out=tmp_path / "runs", **options)


def cell(run: Run, model: str, **settings: Any) -> CellResult:
    return next(
        one
        for one in run.cells
        if one.model == model and all(one.settings.get(name) == value for name, value in settings.items())
    )


def record(one: CellResult, metric: str, part: str | None = None) -> Record:
    return next(each for each in one.records if each.metric == metric and each.part == part)


def value(one: CellResult, metric: str, part: str | None = None) -> float:
    found = record(one, metric, part).value
    assert found is not None
    return found


@pytest.mark.parametrize("name", [name for name in files.JSON if name not in ("lm-eval", "inspect")])
def test_every_number_has_a_unit_a_direction_a_definition_and_an_honest_interval(name: str, tmp_path: Path) -> None:
    run = imported(tmp_path, files.JSON[name]())
    assert run.manifest.status == "finished" and run.damage == [] and run.manifest.suite == name
    for one in (record for each in run.cells for record in each.records if record.value is not None):
        metric = declared(one)
        assert one.n_unit == "launches" and one.interval
        if one.n == 1:
            assert one.low is None and one.high is None and one.interval == ONE
        if metric is None:
            assert one.direction is Direction.NONE
        else:
            assert (metric.unit, metric.direction, metric.id) == (one.unit, one.direction, one.metric_id)
            assert len(metric.definition) > 20 and metric.depends_on in ("time", "memory")
    assert run.records["run"].eq(run.name).all() and not run.manifest.problems


def test_pytest_benchmark(tmp_path: Path) -> None:
    run = imported(tmp_path, files.pytest_benchmark())
    plain, with_n = cell(run, "tests/test_a.py::test_plain"), cell(run, "tests/test_a.py::test_n", n=10)
    assert value(plain, "round_time") == 0.002 and value(plain, "mean_round_time") == pytest.approx(0.002)
    assert value(plain, "min_round_time") == 0.001 and value(with_n, "round_time") == 0.375
    assert run.samples_of(plain)["seconds"].tolist() == [0.002, 0.001, 0.003]
    assert run.samples_of(plain)["launch"].tolist() == [1, 1, 1]
    assert with_n.conditions["group"] == "g" and with_n.conditions["extra_info"] == {"k": 1}
    manifest = run.manifest
    assert manifest.git == {
        **{"commit": "a" * 40, "dirty": False, "branch": "main", "commit_time": "2025-03-01T09:00:00+00:00"}
    }
    assert manifest.started == "2025-03-01T12:00:00+00:00" == plain.measured
    assert manifest.fingerprint["cpu_model"] == "Example CPU 3000" and manifest.fingerprint["system"] == "Linux-x86_64"
    assert run.records["commit"].eq("a" * 40).all()


def test_pytest_benchmark_of_storage_without_rounds_and_of_old_versions(tmp_path: Path) -> None:
    old = files.pytest_benchmark(version="3.0.0", datetime="2016-01-01T12:00:00", commit_info={"id": "unversioned"})
    old["machine_info"]["cpu"] = {"brand": "Old CPU"}
    for one in old["benchmarks"]:
        del one["stats"]["data"], one["params"], one["extra_info"]
    run = imported(tmp_path, old)
    plain = cell(run, "tests/test_a.py::test_plain")
    assert value(plain, "round_time") == 0.002 and plain.samples is None and "--benchmark-save-data" in plain.notes[0]
    assert cell(run, "tests/test_a.py::test_n", parameters_="10") and run.manifest.git == {}
    assert run.manifest.fingerprint["cpu_model"] == "Old CPU" and run.manifest.started == "2016-01-01T12:00:00+00:00"


def test_parameters_that_tell_nothing_apart_leave_the_whole_name(tmp_path: Path) -> None:
    told = files.pytest_benchmark()
    one = told["benchmarks"][1]
    told["benchmarks"] = [
        {**one, "param": name, "fullname": f"a::test[{name}]", "params": {"x": 1}} for name in ("first", "second")
    ]
    assert [each.model for each in imported(tmp_path, told).cells] == ["a::test[first]", "a::test[second]"]


def test_google_benchmark(tmp_path: Path) -> None:
    run = imported(tmp_path, files.google_benchmark())
    sort, fit, broken = cell(run, "sort/8"), cell(run, "sort", big_o="N"), cell(run, "broken")
    assert value(sort, "real_time") == pytest.approx(3e-6) and value(sort, "cpu_time") == pytest.approx(1.5e-6)
    assert value(sort, "items_per_second") == 4e5 and sort.axes == {"threads": 1}
    assert run.samples_of(sort)["real_time"].tolist() == pytest.approx([2e-6, 4e-6])
    assert value(fit, "real_coefficient") == pytest.approx(3e-9) and value(fit, "rms") == 0.1
    assert broken.status is Status.FAILED and broken.reason == "no device"
    assert run.manifest.started == "2025-03-01T11:00:00+00:00" and "host box" in run.manifest.fingerprint["cpu_model"]


def test_google_benchmark_with_aggregates_only(tmp_path: Path) -> None:
    told = files.google_benchmark()
    told["benchmarks"] = [told["benchmarks"][2]]
    one = cell(imported(tmp_path, told), "sort/8")
    assert value(one, "real_time") == pytest.approx(3e-6) and one.notes == [
        "only the mean over repetitions is in the file"
    ]
    old = {**told["benchmarks"][0]}
    for name in ("run_name", "run_type", "aggregate_name", "family_index"):
        del old[name]
    assert cell(imported(tmp_path, {**told, "benchmarks": [old]}), "sort/8").status is Status.OK


@pytest.mark.parametrize("lines", [False, True])
def test_llama_bench(tmp_path: Path, lines: bool) -> None:
    path = tmp_path / "bench"
    tests = files.llama_bench()
    told = files.write_lines(path, tests) if lines else files.write(path, tests)
    run = harness.import_results(told, out=tmp_path / "runs")
    model = "tiny-q4_0"
    prompt = cell(run, model, test="pp512", depth=0)
    assert value(prompt, "prompt_rate") == pytest.approx((1024 + 1280) / 2) and prompt.axes == {"threads": 8}
    assert value(prompt, "prompt_rate") == pytest.approx(tests[0]["avg_ts"])
    assert value(cell(run, model, test="tg128", depth=4096), "generation_rate") == pytest.approx(tests[1]["avg_ts"])
    assert value(cell(run, model, test="pp512+tg128"), "mixed_rate") == pytest.approx(tests[2]["avg_ts"])
    assert prompt.settings == {"test": "pp512", "depth": 0, "n_gpu_layers": 99, "flash_attn": True}
    assert prompt.records[0].parameters == 1_100_000_000
    assert run.samples_of(prompt)["seconds"].tolist() == [0.5, 0.4]
    assert run.manifest.fingerprint["gpus"][0]["name"] == "Example GPU"


def test_a_newer_llama_bench_with_one_more_option_asks_for_the_same_test(tmp_path: Path) -> None:
    older, newer = files.llama_bench(), [{**one, "use_direct_io": False, "avg_ns": 7} for one in files.llama_bench()]
    a, b = imported(tmp_path / "a", older), imported(tmp_path / "b", newer)
    assert harness.compare(a.folder, b.folder)["comparable"].all()


def test_a_test_that_one_file_repeats_is_one_launch(tmp_path: Path) -> None:
    test = files.llama_bench()[0]
    one = imported(tmp_path, [test, {**test, "samples_ns": [600_000_000]}]).cells[0]
    assert one.records[0].n == 1 and "2 entries" in one.notes[0]


def test_asv(tmp_path: Path) -> None:
    run = imported(tmp_path, files.asv(), files.asv_benchmarks())
    assert value(cell(run, "bench.Suite.time_sum", n=10, kind="a"), "time") == 0.5
    assert run.samples_of(cell(run, "bench.Suite.time_sum", n=10, kind="a"))["seconds"].tolist() == [0.5, 0.6]
    assert cell(run, "bench.Suite.time_sum", n=20, kind="a").status is Status.FAILED
    assert cell(run, "bench.Suite.time_sum", n=20, kind="b").status is Status.SKIPPED
    assert cell(run, "bench.time_fails").status is Status.FAILED
    assert value(cell(run, "bench.peakmem_list"), "peak_memory") == 36478976
    loss = record(cell(run, "bench.track_loss"), "tracked")
    assert (loss.value, loss.unit, loss.direction) == (1.5, "nats", Direction.NONE)
    assert run.manifest.git["commit"] == "b" * 40 and run.manifest.fingerprint["memory_bytes"] == 2**34
    assert len(run.manifest.imported) == 2


def test_asv_alone_names_parameters_by_place(tmp_path: Path) -> None:
    run = imported(tmp_path, files.asv())
    assert cell(run, "bench.Suite.time_sum", param1=10, param2="b").status is Status.OK


def test_another_version_of_an_asv_benchmark_is_another_benchmark(tmp_path: Path) -> None:
    other = files.asv()
    other["results"]["bench.peakmem_list"][2] = "0" * 64
    a, b = imported(tmp_path / "a", files.asv()), imported(tmp_path / "b", other)
    frame = harness.compare(a.folder, b.folder)
    changed = frame[frame["model"] == "bench.peakmem_list"].iloc[0]
    assert not changed["comparable"] and "changed between the two" in changed["reason"]


@pytest.mark.parametrize("packed", [False, True])
def test_pyperf(tmp_path: Path, packed: bool) -> None:
    text = json.dumps(files.pyperf()).encode()
    path = tmp_path / "bench"
    path.write_bytes(gzip.compress(text) if packed else text)
    run = harness.import_results(path, out=tmp_path / "runs")
    one, two = cell(run, "one"), cell(run, "two")
    first = record(one, "time")
    assert first.n == 3 and first.low is not None and first.high is not None and first.low < 0.505 < first.high
    assert record(two, "time").n == 2 and record(two, "time").low is None
    rows = run.samples_of(one)
    assert rows["warmup"].sum() == 3 and rows["launch"].max() == 3 and set(run.samples_of(two)["loops"]) == {5}
    assert run.manifest.fingerprint["cores"] == 8 and run.manifest.fingerprint["kernel"] == "6.1"


def test_pyperf_of_format_5(tmp_path: Path) -> None:
    old = {"version": 5, "benchmarks": [{"common_metadata": {"name": "old"}, "runs": [{"samples": [0.5]}]}]}
    assert value(cell(imported(tmp_path, old), "old"), "time") == 0.5


def test_hyperfine(tmp_path: Path) -> None:
    run = imported(tmp_path, files.hyperfine())
    slow, grep = cell(run, "sleep 0.5"), cell(run, "grep x big", n="4")
    assert record(slow, "time").n == 3 and record(slow, "peak_memory").n == 3 and record(slow, "user_time").n == 1
    assert value(slow, "time") == pytest.approx(0.51, abs=1e-3)
    assert grep.notes[0] == "2 of 3 runs did not end with exit code 0 (the first: 1)"
    assert run.samples_of(grep)["exit_code"].tolist() == [1, 0, 1]
    assert run.manifest.fingerprint == {} and "does not say when" in slow.notes[-1]


def test_a_time_of_nothing_has_a_mean_and_an_interval(tmp_path: Path) -> None:
    told = files.hyperfine()
    told["results"][0]["times"][0] = 0.0  # what is left of a command that is quicker than the shell
    one = record(cell(imported(tmp_path, told), "sleep 0.5"), "time")
    assert one.value == pytest.approx(0.34333, abs=1e-4) and one.interval == "t over launches"


def test_optimum_benchmark(tmp_path: Path) -> None:
    run = imported(tmp_path, files.optimum_report(), files.optimum_config())
    prefill, decode = cell(run, "gpt2", target="prefill"), cell(run, "gpt2", target="decode")
    assert value(prefill, "latency") == pytest.approx(0.15) and value(prefill, "peak_memory") == 900_500_000
    assert value(decode, "token_throughput") == 60 and value(decode, "total_energy") == 1.1e-6
    assert prefill.axes == {"device": "cpu"} and prefill.settings["input_shapes.sequence_length"] == 16
    assert "version" not in prefill.settings and run.manifest.fingerprint["packages"]["transformers"] == "4.50.0"
    whole = imported(tmp_path, {"config": files.optimum_config(), "report": files.optimum_report()})
    assert [one.settings for one in whole.cells] == [one.settings for one in run.cells]
    assert "configuration is not there" in imported(tmp_path, files.optimum_report()).cells[0].notes[0]


def lm_eval_run(tmp_path: Path, right: tuple[int, ...] = (1, 0, 1, 1), **told: Any) -> Run:
    sums, written = files.lm_eval_samples(right), files.lm_eval_written()
    paths = [
        files.write(tmp_path / "any.json", files.lm_eval(sums, written) | told),
        files.write_lines(tmp_path / "one", sums),
        files.write_lines(tmp_path / "two", written),
    ]
    return harness.import_results(*paths, out=tmp_path / "runs")


def test_lm_eval(tmp_path: Path) -> None:
    run = lm_eval_run(tmp_path)
    (one,) = run.cells
    assert one.measure == "task" and one.model == "org/tiny" and one.axes == {"precision": "fp32"}
    assert {**one.settings, "task": "arithmetic", "shots": 2, "documents": 4, "mode": "lm-eval"} == one.settings
    acc = record(one, "acc", "sums")
    assert (acc.value, acc.unit, acc.n) == (0.75, "share", 4) and acc.low == pytest.approx(0.75 - 1.96 * 0.25)
    assert value(one, "acc") == 0.75 and value(one, "exact_match", "counting/strict") == pytest.approx(2 / 3)
    assert record(one, "exact_match", "counting/flexible").interval == "none: lm-eval gives N/A"
    assert len(run.samples_of(one)) == 7 and run.manifest.models["org/tiny"]["digest"] == "1" * 40
    assert one.read is not None and {each.digest for each in one.read} == {"version 1.0", "version 2.0"}
    assert run.manifest.git == {"commit": "abcdef1"} and one.records[0].parameters == 1000


def test_lm_eval_flips_gate_and_explain(tmp_path: Path) -> None:
    base, head = lm_eval_run(tmp_path / "a"), lm_eval_run(tmp_path / "b", right=(0, 0, 1, 1))
    found = harness.diff(base.folder, head.folder)
    flip = found.flips.iloc[0]
    assert (flip["task"], flip["document"], bool(flip["head_right"])) == ("sums", 0, False)
    assert flip["cause"] == "log-probabilities" and flip["base_margin"] == 1.0
    verdict = harness.judge(head.folder, base.folder)
    assert verdict.rows[0].metric == "acc" and verdict.rows[0].details["lost"] == 1
    assert "4 documents" in verdict.rows[0].reason
    assert harness.explain(head.folder, "sums", 0)[0].document.number == 0


def test_another_version_of_a_task_is_another_task(tmp_path: Path) -> None:
    base = lm_eval_run(tmp_path / "a")
    head = lm_eval_run(tmp_path / "b", versions={"sums": 2.0, "counting": 2.0}, date=1.0)
    verdict = harness.judge(head.folder, base.folder)
    assert verdict.exit_code == 4 and "the task sums (lm-eval) changed" in verdict.reason


def test_lm_eval_without_samples_and_of_an_old_version(tmp_path: Path) -> None:
    old = {
        "results": {"x": {"acc": 0.5, "acc_stderr": 0.1}},
        "versions": {"x": 1},
        "config": {"model_args": "pretrained=a,b=c"},
    }
    run = imported(tmp_path, old)
    assert run.cells[0].model == "a" and value(run.cells[0], "acc") == 0.5
    assert "without the samples of x" in run.cells[0].notes[0] and "does not say when" in run.cells[0].notes[1]


def test_samples_are_told_apart_by_their_hashes_and_not_by_their_names(tmp_path: Path) -> None:
    sums, written = files.lm_eval_samples(), files.lm_eval_written()
    results = files.write(tmp_path / "r.json", files.lm_eval(sums, written))
    foreign = files.write_lines(tmp_path / "samples_sums_x.jsonl", files.lm_eval_samples((1, 1)))
    with pytest.raises(UserError, match="none of the files of results says"):
        harness.import_results(results, foreign, out=tmp_path / "runs")
    with pytest.raises(UserError, match="without their results"):
        harness.import_results(foreign, out=tmp_path / "runs")


def test_groups_in_a_circle_end(tmp_path: Path) -> None:
    told = files.lm_eval() | {"group_subtasks": {"a": ["b"], "b": ["a", "sums"], "c": ["c", "sums"]}}
    run = imported(tmp_path, told)
    assert {one.settings["task"] for one in run.cells} >= {"counting"}


@pytest.mark.parametrize("form", ["json", "deflated", "zstandard"])
def test_inspect(tmp_path: Path, form: str) -> None:
    log = files.inspect()
    path = tmp_path / "log"
    if form == "json":
        files.write(path, log)
    else:
        path.write_bytes(files.inspect_archive(log, zstandard=form == "zstandard"))
    run = harness.import_results(path, out=tmp_path / "runs")
    (one,) = run.cells
    accuracy = record(one, "accuracy", "match")
    assert (accuracy.value, accuracy.unit, accuracy.n) == (0.5, "share", 4)
    assert accuracy.low == pytest.approx(0.5 - 1.96 * 0.25) and one.settings["args.hard"] is True
    assert run.samples_of(one)["accuracy/match"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert run.manifest.git == {"commit": "abc1234", "dirty": False} and one.model == "vendor/m"


def test_inspect_flips(tmp_path: Path) -> None:
    a, b = (
        imported(tmp_path / name, files.inspect(letters))
        for name, letters in (("a", ("C", "I", "C", "I")), ("b", ("C", "C", "C", "I")))
    )
    found = harness.diff(a.folder, b.folder)
    assert found.flips["document"].tolist() == [1] and found.counts["only_head"].tolist() == [1]


def test_inspect_epochs_are_reduced(tmp_path: Path) -> None:
    log = files.inspect(("C", "I"), epochs=2)
    log["samples"][2]["scores"]["match"]["value"] = "I"
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 0.25
    run = imported(tmp_path, log)
    assert run.samples_of(run.cells[0])["accuracy/match"].tolist() == [0.5, 0.0]
    assert run.cells[0].settings["samples"] == 2


def test_an_evaluation_that_failed_is_a_failed_cell(tmp_path: Path) -> None:
    log = files.inspect() | {"status": "error", "results": None, "error": {"message": "no quota"}}
    one = imported(tmp_path, log).cells[0]
    assert one.status is Status.FAILED and one.reason == "the evaluation's status is error: no quota"


def test_infinite_and_missing_scores(tmp_path: Path) -> None:
    log = files.inspect()
    log["samples"][0]["scores"]["match"]["value"] = math.nan
    log["samples"][1]["error"] = {"message": "timeout"}
    run = imported(tmp_path, log)
    frame = run.samples_of(run.cells[0])
    assert frame["broken"].tolist()[:2] == ["it has no score", "timeout"]
