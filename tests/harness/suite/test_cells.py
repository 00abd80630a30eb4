"""The matrix multiplies out as it is written, with overrides where they are given."""

import pytest

from harness.errors import UserError
from harness.suite.cells import Cell, cells
from harness.suite.load import parse_suite


def made(text: str) -> list[Cell]:
    return cells(parse_suite(text))


SUITE = """
name: s
models:
  a: {reference: nano, train: {tokens: 10}}
  b: {transformers: x, matrix: {precision: [fp16]}}
matrix: {precision: [fp32, int8]}
measures:
  - inference: {batch: [1, 8], prompt: [16, 32]}
  - memory: {}
    models: [a]
    matrix: {precision: bf16, device: cpu}
"""


def test_cells_are_the_product_of_axes_and_swept_settings() -> None:
    found = made(SUITE)
    inference = [cell for cell in found if cell.measure == "inference"]
    assert len(inference) == 2 * 4 + 1 * 4
    assert {(c.axes["precision"], c.settings["batch"], c.settings["prompt"]) for c in inference if c.model == "a"} == {
        (precision, batch, prompt) for precision in ("fp32", "int8") for batch in (1, 8) for prompt in (16, 32)
    }
    assert {c.axes["precision"] for c in inference if c.model == "b"} == {"fp16"}


def test_a_measure_can_have_its_own_models_and_axes() -> None:
    memory = [cell for cell in made(SUITE) if cell.measure == "memory"]
    assert [(c.model, c.axes) for c in memory] == [("a", {"precision": "bf16", "device": "cpu"})]


def test_the_same_cell_written_twice_is_one_cell() -> None:
    assert len(made(SUITE + "  - inference: {batch: 8, prompt: 16}\n")) == len(made(SUITE))


def test_a_seed_is_an_axis_of_trained_models_only() -> None:
    found = made(SUITE.replace("[fp32, int8]", "fp32, seed: [0, 1]"))
    assert {c.axes.get("seed") for c in found if c.model == "a"} == {0, 1}
    assert {c.axes.get("seed") for c in found if c.model == "b"} == {None}


def test_titles_name_what_differs_from_the_defaults() -> None:
    cell = next(c for c in made(SUITE) if c.measure == "inference")
    assert cell.title == "a fp32 device=auto inference prompt=16"


def test_settings_that_the_measure_refuses_together_are_refused() -> None:
    with pytest.raises(UserError):
        made(SUITE.replace("batch: [1, 8]", "generate: 1"))
