"""Files become a run like any other: named, paired, compared and judged by the same rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.comparison.comparability import machine_class
from harness.errors import ExitCode, UserError
from harness.evidence.selection import Point
from harness.gate.verdict import Verdict
from harness.interchange import run_folder
from harness.results.run import Run
from harness.statistics.intervals import geometric_mean
from tests.harness.interchange import foreign_files as files


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def imported(tmp_path: Path, *values: Any, **options: Any) -> Run:
    paths = [files.write(tmp_path / f"in/{number}.json", value) for number, value in enumerate(values)]
    return harness.import_results(*paths, out=tmp_path / "runs", **options)


def slower(factor: float, **more: Any) -> dict[str, Any]:
    return files.pytest_benchmark(tuple(factor * x for x in (0.002, 0.001, 0.003)), **more)


def test_rounds_are_one_launch_and_a_gate_never_fails_for_them(tmp_path: Path, cache: Path) -> None:
    base, head = imported(tmp_path, slower(1.0)), imported(tmp_path, slower(50.0))
    frame = harness.compare(base.folder, head.folder)
    assert frame["comparable"].all() and set(frame["change"]) == {"undecided"} and frame["ratio_low"].isna().all()
    for a, b in ((base, head), (head, base)):
        verdict = harness.judge(b.folder, a.folder)
        assert verdict.verdict is Verdict.INCONCLUSIVE and verdict.exit_code is ExitCode.INCONCLUSIVE
        assert "two stored runs of 1 and 1 launches do not show" in verdict.reason
        assert {row.metric for row in verdict.rows} == {
            "round_time"
        } and "`harness ab` on the code itself" in verdict.reason


def test_several_files_are_as_many_launches(tmp_path: Path) -> None:
    factors = (1.0, 1.1, 0.95)
    run = imported(tmp_path, *(slower(factor) for factor in factors))
    record = run.cells[0].records[0]
    expected = geometric_mean([0.002 * factor for factor in factors])
    assert (record.n, record.n_unit, record.interval) == (3, "launches", "t over logs of launches")
    assert (record.value, record.low, record.high) == pytest.approx(expected[:3])
    assert run.samples_of(run.cells[0])["launch"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    two = imported(tmp_path / "two", slower(1.0), slower(1.1)).cells[0].records[0]
    assert (two.n, two.low, two.high) == (2, None, None) and "2 launches, and 3 are the least" in str(two.interval)


def test_another_machine_is_not_comparable_and_the_same_one_is(tmp_path: Path) -> None:
    other = slower(1.0)
    other["machine_info"] = {**other["machine_info"], "cpu": {**files.CPU, "brand_raw": "Other CPU"}}
    newer = slower(1.0, version="5.3.1")
    newer["machine_info"] = {**newer["machine_info"], "python_version": "3.13.0"}
    base = imported(tmp_path, slower(1.0))
    assert harness.compare(base.folder, imported(tmp_path, newer).folder)["comparable"].all(), "only software differs"
    frame = harness.compare(base.folder, imported(tmp_path, other).folder)
    assert not frame["comparable"].any() and "cpu_model: Example CPU 3000 and Other CPU" in frame["reason"][0]


def test_an_unknown_machine_is_comparable_with_none(tmp_path: Path) -> None:
    nameless = slower(1.0)
    nameless["machine_info"] = {"system": "Linux", "machine": "x86_64", "cpu": {}}
    runs = [imported(tmp_path / str(at), nameless | {"version": f"5.{at}"}) for at in range(2)]
    frame = harness.compare(runs[0].folder, runs[1].folder)
    assert not frame["comparable"].any() and "nothing says on what machine" in frame["reason"][0]
    assert runs[0].manifest.fingerprint == {} == imported(tmp_path / "h", files.hyperfine()).manifest.fingerprint


def test_a_machine_has_a_class_as_far_as_it_is_told(tmp_path: Path) -> None:
    run = imported(tmp_path, slower(1.0))
    cell = run.cells[0]
    found = machine_class(Point(run, cell, cell.records[0]))
    assert found is not None and len(found) == 12
    assert "memory_bytes" not in run.manifest.fingerprint, "what is not told is not guessed"


def test_the_same_files_are_the_same_run_and_no_evidence_for_the_ledger(tmp_path: Path, cache: Path) -> None:
    a, b = imported(tmp_path, slower(1.0)), imported(tmp_path, slower(1.0), name="again")
    assert a.manifest.id == b.manifest.id
    with pytest.raises(UserError, match="the same run"):
        harness.judge(b.folder, a.folder)
    both = imported(tmp_path, slower(1.0), slower(1.01))
    harness.judge(both.folder, a.folder)
    assert not list(cache.glob("identical_runs/*")), "one file is in both"
    harness.judge(imported(tmp_path, slower(1.02)).folder, a.folder)
    assert len(list(cache.glob("identical_runs/*"))) == 1, "the same clean commit, measured twice"


def test_of_two_tools_two_machines_and_two_commits(tmp_path: Path) -> None:
    other_machine, other_commit = slower(1.0), slower(1.0)
    other_machine["machine_info"] = {**other_machine["machine_info"], "cpu": {"brand_raw": "Other"}}
    other_commit["commit_info"] = {"id": "c" * 40, "dirty": False}
    for other, told in (
        (files.pyperf(), "is of pytest-benchmark and .*1.json of pyperf"),
        (other_machine, "are of two machines"),
        (other_commit, "are of two commits"),
    ):
        with pytest.raises(UserError, match=told):
            imported(tmp_path, slower(1.0), other)
    assert not (tmp_path / "runs").exists()


def test_names_of_strangers_are_stored_and_printed(tmp_path: Path) -> None:
    told = files.pytest_benchmark()
    plain, with_n = told["benchmarks"]
    names = ("../../etc/passwd", "a\x1b[2Jb\x00c", "\ud800 half", "x" * 5000, "ünï 東京")
    told["benchmarks"] = [{**plain, "fullname": name, "name": name} for name in names]
    told["benchmarks"].append({**with_n, "params": {"model": 1, "n": 10, "base": "b", "": "c"}})
    run = imported(tmp_path, told)
    assert run.damage == [] and len(run.cells) == 6 and len(run.records) == 18
    assert sorted(path.name for path in run.folder.parent.iterdir()) == [run.name]
    assert run.cells[-1].settings == {"model_": 1, "n": 10, "base_": "b", "_": "c"}
    assert len(run.cells[3].model) < 1100 and run.cells[2].model == "\\ud800 half"
    harness.make_report(run.folder)
    harness.compare(run.folder, run.folder)


def test_settings_that_are_a_number_here_and_a_text_there(tmp_path: Path) -> None:
    told = files.pytest_benchmark()
    one = told["benchmarks"][1]
    values: tuple[Any, ...] = ("a", 1, 2.5, True, None, [1, {"x": 2}], 1 << 80)
    told["benchmarks"] = [
        {**one, "fullname": f"t[{place}]", "param": str(place), "params": {"v": value, "place": place}}
        for place, value in enumerate(values)
    ]
    run = imported(tmp_path, told)
    assert [cell.settings.get("v") for cell in run.cells[:5]] == ["a", "1", "2.5", "True", None]
    assert run.cells[5].settings == {"parameters_": "5"}


def test_a_report_and_every_view_of_an_import(tmp_path: Path) -> None:
    run = imported(tmp_path, slower(1.0))
    again = harness.make_report(run.folder)
    assert again.damage == [] and (run.folder / "report.html").is_file()
    text = (run.folder / "summary.md").read_text()
    assert "one launch, and tell nothing of how far the next one lies" in text
    html = (run.folder / "report.html").read_text()
    assert "Example CPU 3000" in html and "Median over rounds of the seconds" in html


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folder.Journal, "write_records", full)
    with pytest.raises(UserError, match="the disk is full"):
        imported(tmp_path, slower(1.0))
    assert not list((tmp_path / "runs").glob("*/*"))


def test_as_and_name(tmp_path: Path) -> None:
    run = imported(tmp_path, slower(1.0), format="pytest-benchmark", name="hot-paths")
    assert run.manifest.suite == "hot-paths" and run.name.endswith("-hot-paths")
    with pytest.raises(UserError, match="no format 'pytest-benchmrk'"):
        imported(tmp_path, slower(1.0), format="pytest-benchmrk")
    with pytest.raises(UserError, match="a name has letters"):
        imported(tmp_path, slower(1.0), name="../x")
    with pytest.raises(UserError, match="name the files"):
        harness.import_results(out=tmp_path)


def test_a_file_in_utf_16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(json.dumps(files.hyperfine()).encode("utf-16"))  # PowerShell's `>`
    assert len(harness.import_results(path, out=tmp_path / "runs").cells) == 2


def test_the_gate_tells_benchmarks_apart_by_their_parameters(tmp_path: Path) -> None:
    one, another = files.pytest_benchmark()["benchmarks"][1], files.pytest_benchmark()["benchmarks"][1]
    for n, benchmark in ((10, one), (20, another)):
        name = f"test_sum[{n}]"
        benchmark |= {
            "fullname": f"t.py::{name}",
            "name": name,
            "param": f"{n}",
            "params": {"n": n, "model": f"m{n}", "x": 1},
        }
    benchmarks = [one, another]
    base, head = (
        imported(tmp_path, slower(1, benchmarks=benchmarks)),
        imported(tmp_path, slower(1, benchmarks=benchmarks, datetime="2025-03-02T12:00:00+00:00")),
    )
    result = harness.judge(head.folder, base.folder)
    assert [row.where for row in result.rows] == [f"t.py::test_sum, n {n}, model m{n}" for n in (10, 20)]
    assert "(t.py::test_sum, n 10, model m10)" in result.reason
