"""The gate's rows, each under the entries that mean it; made of stored runs, without pytest."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from harness.baselines.setting import set_baseline
from harness.comparison import metric_kind
from harness.errors import ExitCode, UserError
from harness.gate.stored.stored_runs import declared_gate
from harness.pytest_plugin.gated import AS_CHOSEN, NOTHING_ELSE, Gate, baseline_of, judged
from harness.results.record import Status
from harness.results.run import Run
from tests.harness.gate.gate_runs import Makes, broken, stand_in
from tests.harness.pytest_plugin.conftest import SUITE, Project

ENTRIES = """{metric: bits_per_byte, where: {precision: fp32}}
{metric: bits_per_byte, where: {precision: int8}}
{metric: weight_bytes}
{metric: decode_rate, where: {precision: int8}, guarded_by: [bits_per_byte]}"""


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(metric_kind, "is_counted", lambda metric: metric.name == "weight_bytes")
    stand_in(monkeypatch)
    return Makes(builders, tmp_path / "runs")


def gate(base: Run, head: Run, tmp_path: Path) -> Gate:
    return judged(base, head, declared_gate(head), tmp_path)


def outcomes(found: Gate, entries: int = 4) -> list[str]:
    return [found.said_of(place, "it").outcome for place in (*range(entries), -1)]


def test_rows_go_where_they_are_meant(make: Makes, tmp_path: Path) -> None:
    base = make.run("base", ENTRIES)
    assert outcomes(gate(base, make.run("head", ENTRIES), tmp_path)) == [*["passed"] * 3, "undecided", "passed"]
    worse = gate(base, make.run("worse", ENTRIES, shift=0.02), tmp_path)
    assert outcomes(worse) == ["failed", "failed", "passed", "failed", "passed"], "of a speed its guard counts too"
    said = worse.said_of(0, "it")
    assert said.text.startswith("FAIL: bits_per_byte") and "int8" not in said.text
    told = dict(said.properties)
    assert told["verdict"] == "fail" and told["bound"] == "worse by less than 0.01" and told["low"] > 0.01
    larger = gate(base, make.run("larger", ENTRIES, bytes_more=1), tmp_path)
    assert outcomes(larger)[:3] == ["passed", "passed", "failed"]
    assert "weight_bytes" in larger.said_of(2, "it").text


def test_what_no_entry_is_about_is_an_item_of_its_own(make: Makes, tmp_path: Path) -> None:
    base = make.run("base", ENTRIES)
    cells = make.cells(make.folder / "head")
    lost = [broken(cell, Status.FAILED, "no kernel") if cell.measure == "inference" else cell for cell in cells]
    found = gate(base, make.run("head", ENTRIES.rpartition("\n")[0], cells=lost), tmp_path)
    assert outcomes(found, 3) == ["passed", "passed", "passed", "failed"]
    assert "no kernel" in found.said_of(-1, NOTHING_ELSE).text
    unfinished = gate(base, make.run("cut", ENTRIES, status="interrupted"), tmp_path)
    assert outcomes(unfinished)[-1] == "failed"


def test_an_entry_that_the_baseline_lacks_is_undecided(make: Makes, tmp_path: Path) -> None:
    found = gate(make.run("base", ENTRIES, precisions=["int8"]), make.run("head", ENTRIES), tmp_path)
    said = found.said_of(0, "bits_per_byte (fp32)")
    assert said.outcome == "undecided" and "has no baseline" in said.text


def test_a_suite_without_a_gate_has_a_chosen_one(make: Makes, tmp_path: Path) -> None:
    base = make.run("base")
    assert outcomes(gate(base, make.run("head"), tmp_path), 1) == ["passed", "passed"]
    said = gate(base, make.run("worse", shift=0.02), tmp_path).said_of(0, AS_CHOSEN)
    told = dict(said.properties)
    assert said.outcome == "failed" and told["verdict"] == "fail"
    assert told["unit (bits_per_byte, nano, int8, threads 2, microworld/test)"] == "bits/byte"


def test_what_was_agreed_to_passes(make: Makes, tmp_path: Path) -> None:
    (tmp_path / "harness-accept.yaml").write_text(
        "- {metric: bits_per_byte, where: {precision: int8}, allowed: 0.5, reason: x, who: me, expires: 2099-12-31}\n"
    )
    found = gate(make.run("base", ENTRIES), make.run("worse", ENTRIES, shift=0.02), tmp_path)
    assert outcomes(found)[:2] == ["failed", "passed"]


def test_baselines_are_found_or_told(make: Makes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make.run("main-1", sequence=1), make.run("main-2", sequence=2)

    def found(name: str) -> Run:
        return baseline_of(name, make.folder, "ci.yaml", tmp_path)

    assert found("main-1").name == "main-1"
    assert found("latest").name == "main-2"
    for name, code in (("gone", ExitCode.BASELINE_MISSING), ("main", ExitCode.USAGE), ("", ExitCode.BASELINE_MISSING)):
        with pytest.raises(UserError) as error:
            found(name)
        assert error.value.exit_code is code
    set_baseline("main-1", name="kept", why="a start", out=make.folder, below=tmp_path / "results/baselines")
    monkeypatch.chdir(make.folder)  # baselines lie below the rootdir, wherever pytest was called
    assert found("baseline:kept").name == "kept"
    with pytest.raises(UserError, match=r"^--harness-baseline: .*no baseline 'keep'.*kept") as missing:
        found("baseline:keep")
    assert missing.value.exit_code is ExitCode.BASELINE_MISSING
    (tmp_path / "results/baselines/kept/log.jsonl").unlink()
    with pytest.raises(UserError, match=r"there is no log\.jsonl") as damaged:
        found("baseline:kept")
    assert damaged.value.exit_code is ExitCode.USAGE, "a damaged one is no missing one"
    (make.folder / "main-1/manifest.json").write_text("{")
    with pytest.raises(UserError, match="manifest is corrupted"):
        found(str(make.folder / "main-1"))


def test_entries_are_items_beside_a_baseline(make: Makes, project: Project) -> None:
    gate = "gate:\n  - {metric: bits_per_byte, where: {precision: int8}}\n  - {metric: weight_bytes}\n"
    project.write("suites/ci.yaml", SUITE.partition("expect:")[0] + gate)
    base = make.run("base")
    names = [f"suites/ci.yaml::gate[{name}]" for name in ("bits_per_byte (int8)", "weight_bytes", "no cell broke")]
    given = ("--harness-suite", "suites/ci.yaml", "--harness-baseline", str(base.folder), "-m", "harness", "-rA")
    project.stub(**{"is": str(make.run("head", suite_text=SUITE.partition("expect:")[0] + gate).folder)})
    done = project.pytest(*given)
    done.assert_outcomes(passed=3, deselected=1)
    assert [line.removeprefix("PASSED ") for line in done.outlines if line.startswith("PASSED")] == names
    assert project.calls[0]["fresh"], "what comes from the cache would prove nothing"
    worse = make.run("worse", suite_text=SUITE.partition("expect:")[0] + gate, shift=0.02, bytes_more=4)
    project.stub(**{"is": str(worse.folder)})
    done = project.pytest(*given, "-x")
    done.assert_outcomes(failed=1, deselected=1)
    done.stdout.fnmatch_lines(["FAIL: bits_per_byte*+2.02 %", "FAILED *gate?bits_per_byte (int8)? - *FAIL: bits*"])


def test_each_suite_has_the_baseline_of_its_name(make: Makes, project: Project) -> None:
    other = SUITE.replace("name: foreign", "name: other")
    project.write("suites/other.yaml", other)
    project.stub()
    base = make.run("base", suite="other")
    given = ("--harness-suite", "suites/ci.yaml", "--harness-suite", "suites/other.yaml", "--co", "-q")
    done = project.pytest(*given, "--harness-baseline", str(base.folder))
    assert [line for line in done.outlines if "gate" in line] == [
        "suites/other.yaml::gate[quality and counts]",
        "suites/other.yaml::gate[no cell broke]",
    ]
    twice = make.run("again", suite="other")
    done = project.pytest(*given, "--harness-baseline", str(base.folder), "--harness-baseline", str(twice.folder))
    done.stdout.fnmatch_lines(["--harness-baseline: several baselines are runs of the suite 'other': base, again"])
    none = make.run("none", suite="third")
    done = project.pytest(*given, "--harness-baseline", str(none.folder))
    assert done.ret == pytest.ExitCode.INTERRUPTED
    told = "--harness-baseline: the run 'none' is of the suite 'third', and none of that name is given"
    assert done.outlines.count(told) == 2
