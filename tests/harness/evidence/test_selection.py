"""`where` and `against`: what they select, and what they say when they select nothing."""

from __future__ import annotations

from types import ModuleType

import pytest

from harness.evidence.selection import (
    counterpart,
    describe,
    points,
    same,
    selects,
    varying,
    varying_within_models,
    why_nothing,
)
from harness.results.run import Run


def test_values_compare_as_a_suite_means_them() -> None:
    assert same(8, 8.0) and same("int8", "int8") and same(None, None)
    assert not same(True, 1) and not same(8, "8")


def test_where_takes_a_value_or_a_list(full_run: Run) -> None:
    cells = [cell for cell in full_run.cells if selects({"model": ["nano", "mini"], "batch": 8}, cell)]
    assert {cell.model for cell in cells} == {"nano", "mini"}
    assert {cell.settings["batch"] for cell in cells} == {8}


def test_points_go_by_name_or_id_and_leave_out_failed_cells(full_run: Run) -> None:
    by_name, by_id = points(full_run, "decode_rate"), points(full_run, "decode_rate@1")
    assert len(by_name) == len(by_id) == 4 * 4 * 2 - 2
    assert points(full_run, "decode_rate@2") == []


def test_counterpart_is_the_same_cell_elsewhere(full_run: Run) -> None:
    having = points(full_run, "decode_rate")
    point = next(p for p in having if selects({"model": "micro", "precision": "int8", "batch": 8}, p.cell))
    base = counterpart(point.coordinates, {"precision": "fp32"}, having)
    assert base is not None
    assert base.coordinates == point.coordinates | {"precision": "fp32"}
    assert counterpart(point.coordinates, {"precision": "fp16"}, having) is None
    assert counterpart(point.coordinates, {"sauce": "fp16"}, having) is None


def test_varying_names(full_run: Run) -> None:
    quality = [point.cell for point in points(full_run, "perplexity")]
    assert varying(quality) == ["model", "precision", "text"]
    # each model has one text here: it does not tell two cells of a model apart
    assert varying_within_models(quality) == ["precision"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"precison": "int8"}, "no cell has 'precison' (did you mean 'precision'?)"),
        (
            {"precision": "int9"},
            "no cell has precision = int9 (did you mean 'int8'?); there are: fp32, bf16, int8, int4",
        ),
        ({"model": "smolm2"}, "no cell has model = smolm2 (did you mean 'smollm2'?)"),
        ({"model": "nano", "text": "asset:shakespeare/test"}, "at once"),
    ],
)
def test_nothing_selected_is_explained(full_run: Run, where: dict[str, str], said: str) -> None:
    assert said in why_nothing(where, full_run.cells)


def test_describe() -> None:
    assert describe({"model": ["nano", "micro"], "precision": "int8", "batch": 8}) == "nano or micro, int8, batch 8"


def test_builders_are_the_same_every_time(builders: ModuleType) -> None:
    assert builders.quality_samples("nano", "int8").equals(builders.quality_samples("nano", "int8"))
