"""The matrix multiplies out as it is written, with overrides where they are given."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.execution.plan import make_plan
from harness.execution.requests import Collect
from harness.measures.registry import MEASURES
from harness.suite.cells import Cell, cells
from harness.suite.load import load_suite, parse_suite
from harness.suite.shipped import shipped_suites


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


BUDGETS = """
name: s
models:
  a: {reference: nano, train: {}}
  b: {reference: mini, train: {}, matrix: {compute: 1e12}}
  c: {transformers: x}
matrix: {compute: [3e11, 1e12], seed: [0, 1]}
measures:
  - memory: {}
"""


def test_a_compute_budget_is_an_axis_of_trained_models_only_and_a_model_may_narrow_it() -> None:
    found = made(BUDGETS)
    points = [(c.model, c.axes.get("seed"), c.axes.get("compute")) for c in found]
    assert points == [
        *(("a", seed, compute) for seed in (0, 1) for compute in (3e11, 1e12)),
        *(("b", seed, 1e12) for seed in (0, 1)),
        ("c", None, None),
    ]
    assert [c.trained_model for c in found][1::5] == ["a seed=0 compute=1e12", "c"]
    assert "compute=3e11" in found[0].title


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "a: {reference: nano, train: {}}",
            "a: {reference: nano, train: {tokens: 9}}",
            "models.a.train: this training",
        ),
        (
            "a: {reference: nano, train: {}}",
            "a: {reference: nano, train: {steps: 9}}",
            "and the axis `compute` as well",
        ),
        ("matrix: {compute: [3e11, 1e12], seed: [0, 1]}", "matrix: {}", "models.a.train: a training needs a budget"),
        ("train: {}}", "train: {tokens: 9, steps: 9}}", "has `tokens` or `steps`, not both"),
        (
            "c: {transformers: x}",
            "c: {transformers: x, matrix: {compute: 1e9}}",
            "models.c.matrix.compute: `compute` is",
        ),
        ("[3e11, 1e12]", "[3e11, 3e11]", "a value stands here twice"),
        ("[3e11, 1e12]", "[-1]", "matrix.compute.0: should be greater than 0"),
        ("[3e11, 1e12]", "[.inf]", "matrix.compute.0: should be a finite number"),
    ],
)
def test_a_training_has_exactly_one_budget(old: str, new: str, told: str) -> None:
    assert old in BUDGETS
    with pytest.raises(UserError) as error:
        made(BUDGETS.replace(old, new, 1))
    assert told in str(error.value)
    assert "suite:" in str(error.value)  # the place, with its line


def test_a_measure_may_choose_among_budgets_but_not_give_one() -> None:
    chosen = made(BUDGETS.replace("memory: {}", "memory: {}\n    matrix: {compute: 3e11}"))
    assert {(c.model, c.axes.get("compute")) for c in chosen} == {("a", 3e11), ("b", 3e11), ("c", None)}
    fixed = BUDGETS.replace("nano, train: {}", "nano, train: {tokens: 9}").replace("compute: [3e11, 1e12], ", "")
    with pytest.raises(UserError, match=r"measures\.0\.matrix\.compute: the training of 'a' has `tokens` or `steps`"):
        made(fixed.replace("memory: {}", "memory: {}\n    matrix: {compute: 3e11}"))
    only = fixed.replace("memory: {}", "memory: {}\n    models: [b]\n    matrix: {compute: 3e11}")
    assert {(c.model, c.axes["compute"]) for c in made(only)} == {("b", 3e11)}


def test_arguments_of_a_chat_template_are_a_mapping_in_a_suite_and_an_axis() -> None:
    suite = """
name: s
models: {b: {transformers: x}}
measures:
  - task:
      task: t
      chat: true
      chat_template_args: [{enable_thinking: false}, {enable_thinking: true, effort: low}]
"""
    assert [cell.settings["chat_template_args"] for cell in made(suite)] == [
        '{"enable_thinking": false}',
        '{"effort": "low", "enable_thinking": true}',
    ]
    one = made(suite.replace("[{enable_thinking: false}, {enable_thinking: true, effort: low}]", "{a: 1}"))
    assert [cell.settings["chat_template_args"] for cell in one] == ['{"a": 1}']
    for wrong in ("thinking", "[3]"):
        with pytest.raises(UserError, match="chat_template_args"):
            made(suite.replace("[{enable_thinking: false}, {enable_thinking: true, effort: low}]", wrong))


def test_equal_cells_have_one_hash_and_what_differs_makes_another() -> None:
    first, again = made(SUITE), made(SUITE)
    assert first == again and set(first) == set(again) and len(set(first)) == len(first)
    cell = first[0]
    others = [cell.at(device="cpu"), replace(cell, model="b"), replace(cell, typed=first[1].typed)]
    assert len({cell, *others}) == 4
    assert cell.at(device="cpu").axes == {"precision": "fp32", "device": "cpu"} and cell.axes["device"] == "auto"
    assert cell.at(precision="int8").at(precision="fp32") == cell


def test_settings_are_typed_once_and_read_again_the_same() -> None:
    for cell in (cell for name in shipped_suites() for cell in load_suite(name).cells):
        kind = MEASURES[cell.measure].settings
        assert type(cell.typed) is kind and kind.model_validate(cell.settings) == cell.typed


def test_settings_are_validated_once_on_their_way_to_a_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the measure's own class, each point of the swept settings; plan and worker share them."""
    kind, seen = MEASURES["memory"].settings, []
    validate = kind.model_validate
    monkeypatch.setattr(kind, "model_validate", lambda point: seen.append(point) or validate(point))
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nmodels: {a: {reference: nano, train: {corpus: microworld, tokens: 1000}}}\n"
        "matrix: {precision: [fp32, int8]}\nmeasures: [{memory: {context: [8, 16]}}]\n"
        "expect: [{metric: peak_memory, where: {context: 8}, at_most: 1e12}]\n"
    )
    planned = make_plan(load_suite(str(path))).cells
    assert len(planned) == 4 and [point["context"] for point in seen] == [8, 16]
    request = Collect("memory", planned[0].cell.typed, planned[0].source)
    assert pickle.loads(pickle.dumps(request)).settings == planned[0].cell.typed and len(seen) == 2
