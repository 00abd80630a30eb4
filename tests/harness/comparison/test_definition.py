"""Cells of two runs are paired by what was asked for, and what has no other half is named."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from harness.comparison.compare import compare
from harness.comparison.definition import cell_pairs, definition_hash, why_edited
from harness.results.record import CellResult
from harness.results.run import Run


@pytest.fixture
def cell(builders: ModuleType, tmp_path: Path) -> CellResult:
    made: CellResult = builders.cell_result(
        tmp_path, "nano", "perplexity", {"precision": "fp32", "device": "cpu"}, {"text": "microworld/test"}, []
    )
    return made


def with_settings(cell: CellResult, **changed: Any) -> CellResult:
    settings = {name: value for name, value in {**cell.settings, **changed}.items() if value != "gone"}
    return cell.model_copy(update={"settings": settings, "key": f"other {cell.key} {changed}"})


def run_of(builders: ModuleType, folder: Path, *cells: CellResult) -> Run:
    made: Run = builders.write_run(folder, cells=list(cells))
    return made


def test_a_setting_that_was_not_there_yet_has_its_default(cell: CellResult) -> None:
    """Known bad: a baseline of before `document_bytes` existed is orphaned by its coming."""
    now = with_settings(cell, window=None, stride=None, bos="auto", documents=None, document_bytes=None)
    assert definition_hash(now) == definition_hash(cell)
    assert definition_hash(with_settings(now, documents=20)) != definition_hash(cell)


def test_equal_numbers_are_one_value_and_true_is_not_one(cell: CellResult) -> None:
    assert definition_hash(with_settings(cell, window=64)) == definition_hash(with_settings(cell, window=64.0))
    assert definition_hash(with_settings(cell, window=1)) != definition_hash(with_settings(cell, window=True))


def test_what_the_weights_are_is_no_part_of_it(cell: CellResult) -> None:
    assert definition_hash(cell.model_copy(update={"key": "of other weights"})) == definition_hash(cell)


def test_a_measure_that_is_not_installed_has_its_own_settings_alone(cell: CellResult) -> None:
    foreign = cell.model_copy(update={"measure": "of_a_plugin"})
    assert definition_hash(foreign) != definition_hash(with_settings(foreign, level=2))


def test_a_changed_setting_is_named(builders: ModuleType, tmp_path: Path, cell: CellResult) -> None:
    base = run_of(builders, tmp_path / "base", with_settings(cell, window=64))
    head = run_of(builders, tmp_path / "head", with_settings(cell, window=128))
    mine, theirs = cell_pairs(base, head)
    assert mine.why_alone == "its definition changed: window is 64 in the base and 128 in the head"
    assert theirs.why_alone == "its definition changed: window is 128 in the head and 64 in the base"
    assert mine.changed and theirs.changed


def test_a_cell_that_is_gone_is_no_changed_one(builders: ModuleType, tmp_path: Path, cell: CellResult) -> None:
    other = cell.model_copy(update={"model": "micro", "axes": {**cell.axes, "precision": "int8"}, "key": "micro"})
    pairs = cell_pairs(run_of(builders, tmp_path / "base", cell), run_of(builders, tmp_path / "head", other))
    assert [pair.why_alone for pair in pairs] == ["only the base has this cell", "only the head has this cell"]
    assert not any(pair.changed for pair in pairs)


def test_an_edited_text_is_named(builders: ModuleType, tmp_path: Path, cell: CellResult) -> None:
    before, after = cell.model_copy(deep=True), cell.model_copy(deep=True)
    assert why_edited(before, after) is None, "runs of before kept no digests"
    before.__dict__["read"] = [_Read("text", "microworld/test", "1"), _Read("task", "t", "2")]
    after.__dict__["read"] = [_Read("text", "microworld/test", "3"), _Read("task", "t", "2")]
    assert why_edited(before, before) is None
    assert why_edited(before, after) == (
        "the text microworld/test changed between the two, so they were asked different things"
    )


class _Read(NamedTuple):
    kind: str
    name: str
    digest: str


def test_compare_pairs_so(builders: ModuleType, tmp_path: Path) -> None:
    base = builders.write_run(tmp_path / "base", cells=builders.full_cells(tmp_path / "base"))
    cells = [with_settings(c, iterations=10) if c.measure == "inference" else c for c in base.cells]
    head = builders.write_run(tmp_path / "base", cells=cells)
    frame = compare(base, head)
    assert frame.query("measure == 'inference' and metric == 'ttft'")["comparable"].all()
