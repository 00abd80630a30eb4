"""`benchmarks/same_numbers.py` sees a bit that differs, a row that is lost, and code that is not the tree's."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("same_numbers", ROOT / "benchmarks/same_numbers.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["same_numbers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every measure."""
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(ROOT / "tests/stored/run-2.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "every"


@pytest.fixture
def rows(script: ModuleType, run: Path) -> Rows:
    found: Rows = script.records_of(run)
    return found


def compared(script: ModuleType, before: Rows, after: Rows) -> Any:
    found = script.Comparison()
    script.compare_rows(before, after, found)
    return found


def place_of(rows: Rows, metric: str) -> int:
    return next(number for number, row in enumerate(rows) if row["metric"] == metric)


def test_a_run_and_itself(script: ModuleType, run: Path) -> None:
    found = script.compare_runs(run, run)
    assert found.differences == found.added == []
    assert (found.rows, found.timed) == (147, 27)
    assert (found.others, found.others_timed) == (8, 4)


@pytest.mark.parametrize(
    "metric", ["perplexity", "kl_mean", "weight_bytes", "cache_error", "exact_match", "validation_loss"]
)
@pytest.mark.parametrize("column", ["value", "low", "n", "interval", "metric_id"])
def test_one_bit_is_seen(script: ModuleType, rows: Rows, metric: str, column: str) -> None:
    changed, place = copy.deepcopy(rows), place_of(rows, metric)
    before = rows[place][column]
    changed[place][column] = {
        float: lambda: math.nextafter(before, math.inf), int: lambda: before + 1, str: lambda: f"{before}2",
        type(None): lambda: 0.0,
    }[type(before)]()  # fmt: skip
    (told,) = compared(script, rows, changed).differences
    assert f"metric={metric}" in told and f"{column} was" in told and "model=tiny" in told


def test_zeros_and_numbers_that_are_none_are_told_apart(script: ModuleType, rows: Rows) -> None:
    for before, after, same in ((0.0, -0.0, False), (0.0, None, False), (math.nan, math.nan, True), (1, 1.0, False)):
        both = [copy.deepcopy(rows) for _ in range(2)]
        for side, value in zip(both, (before, after), strict=True):
            side[0]["value"] = value
        assert (compared(script, *both).differences == []) is same, (before, after)


def test_the_folders_of_a_path_in_a_reason_are_left_out(script: ModuleType, rows: Rows) -> None:
    both = [copy.deepcopy(rows) for _ in range(2)]
    both[0][0]["reason"], both[1][0]["reason"] = "delete /a/b/nano and run again", "delete /c/nano and run again"
    assert compared(script, *both).differences == []
    both[1][0]["reason"] = "delete /c/micro and run again"
    assert len(compared(script, *both).differences) == 1


@pytest.mark.parametrize("metric", ["ttft", "peak_memory", "cache_speedup", "training_rate", "mfu"])
def test_times_and_peaks_may_differ_but_must_be_there(script: ModuleType, rows: Rows, metric: str) -> None:
    changed, place = copy.deepcopy(rows), place_of(rows, metric)
    changed[place]["value"] *= 2
    assert compared(script, rows, changed).differences == []
    changed[place]["unit"] = "furlongs"
    assert len(compared(script, rows, changed).differences) == 1
    del changed[place]
    (told,) = compared(script, rows, changed).differences
    assert f"metric={metric}" in told and told.endswith("only before")


def test_lost_and_new_rows_are_named(script: ModuleType, rows: Rows) -> None:
    place = place_of(rows, "perplexity")
    less = rows[:place] + rows[place + 1 :]
    assert [told.rpartition(": ")[2] for told in compared(script, rows, less).differences] == ["only before"]
    assert [told.rpartition(": ")[2] for told in compared(script, less, rows).differences] == ["only here"]
    assert [told.rpartition(": ")[2] for told in compared(script, rows, [*rows, rows[place]]).differences] == [
        "only here"
    ]
    assert len(compared(script, rows, []).differences) >= len(rows)


def test_rows_in_another_order_are_the_same(script: ModuleType, rows: Rows) -> None:
    assert compared(script, rows, rows[::-1]).differences == []


def test_new_columns_are_told_and_lost_ones_are_differences(script: ModuleType, rows: Rows) -> None:
    more = [row | {"commit": "abc"} for row in rows]
    found = compared(script, rows, more)
    assert (found.differences, found.added) == ([], ["commit"])
    assert compared(script, more, rows).differences == ["the column commit is gone"]
    named = [row | {"key": "k", "model_digest": "d", "fingerprint_class": "f", "schema_version": 3} for row in rows]
    assert compared(script, rows, named).differences == [], "names of code and machine are not compared"


def test_findings_and_outcomes_are_compared(script: ModuleType, run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "every"
    changed.mkdir()
    (changed / "records.parquet").write_bytes((run / "records.parquet").read_bytes())
    findings, outcomes = (json.loads((run / f"{name}.json").read_text()) for name in ("findings", "expectations"))
    for finding in findings:
        finding["value"] *= 1.5
    outcomes[0]["outcome"] = "undecided"
    (changed / "findings.json").write_text(json.dumps(findings))
    (changed / "expectations.json").write_text(json.dumps(outcomes))
    told = script.compare_runs(run, changed).differences
    assert sum("analysis=quantization_cost" in one for one in told) == 6, "all but those of times and peaks"
    assert sum("expectation=perplexity" in one for one in told) == 1
    (changed / "findings.json").unlink()
    assert sum(one.endswith("only before") for one in script.compare_runs(run, changed).differences) == 10


def test_code_that_is_not_the_trees_is_refused(script: ModuleType, tmp_path: Path) -> None:
    """A folder without the package: the installed one would be taken, and be compared with itself."""
    script.code_of(ROOT, tmp_path / "cache")
    with pytest.raises(script.Failed, match="its code is not what would run"):
        script.code_of(tmp_path, tmp_path / "cache")


def test_a_run_that_fails_is_exit_code_2(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.yaml").write_text("name: wrong\nmodels: 3\n")
    monkeypatch.setattr(sys, "argv", ["same_numbers.py", str(tmp_path / "wrong.yaml"), "--before", str(ROOT)])
    assert script.main() == 2
    assert "the run ended with exit code 2" in capsys.readouterr().err
