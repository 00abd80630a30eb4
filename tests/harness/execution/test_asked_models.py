"""Models that a measure asks beside its cell's own: planned, made, part of the key, and told where they can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.errors import UserError
from harness.execution.expected_time import expected_seconds
from harness.execution.plan import PlannedCell, make_plan
from harness.suite.load import load_suite

MODELS = """
name: asked
models:
  base: {reference: nano, train: {corpus: STORY, tokens: 2_000, vocabulary: 300, context: 64}}
  other: {reference: nano, train: {corpus: STORY, tokens: LENGTH, vocabulary: 300, context: 64}}
measures:
"""


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "The"}\n{"prompt": "A river"}\n')
    return file


def planned(folder: Path, story: Path, measures: str, length: str = "3_000") -> list[PlannedCell]:
    return make_plan(load_suite(str(written(folder, story, measures, length)))).cells


def written(folder: Path, story: Path, measures: str, length: str = "3_000") -> Path:
    file = folder / "asked.yaml"
    file.write_text(MODELS.replace("STORY", str(story)).replace("LENGTH", length) + measures)
    return file


def wins(prompts: Path, against: str = "other", more: str = "") -> str:
    asked = f"{{prompts: {prompts}, max_new: 4, against: {against}, judge: shorter}}"
    return f"  - win_rate: {asked}\n    models: [base]\n{more}"


def test_another_model_that_is_asked_is_another_cell(tmp_path: Path, story: Path, prompts: Path) -> None:
    keys = [planned(tmp_path, story, wins(prompts), length)[0].key for length in ("3_000", "4_000", "3_000")]
    assert keys[0] == keys[2] != keys[1]


def test_it_is_opened_at_the_precision_of_the_cell(tmp_path: Path, story: Path, prompts: Path) -> None:
    [cell] = planned(tmp_path, story, wins(prompts, more="    matrix: {precision: int8}\n"))
    assert [(name, source.precision) for name, source in cell.asked_sources] == [("other", "int8")]


def test_it_is_trained_with_the_seed_of_the_cell(tmp_path: Path, story: Path, prompts: Path) -> None:
    one, two = planned(tmp_path, story, wins(prompts, more="    matrix: {seed: [1, 2]}\n"))
    assert one.asked[0][1].source.digest != two.asked[0][1].source.digest
    assert one.asked[0][1].title == "other seed=1"


@pytest.mark.parametrize(
    ("against", "why"),
    [
        ("othr", r"the suite has no model 'othr'; did you mean 'other'\?; it has: base, other"),
        ("x", "the suite has no model 'x'"),
    ],
)
def test_one_that_the_suite_does_not_have_is_told_with_its_place(
    tmp_path: Path, story: Path, prompts: Path, against: str, why: str
) -> None:
    with pytest.raises(UserError, match=rf"asked.yaml:7: .*against: {why}"):
        planned(tmp_path, story, wins(prompts, against))


def test_it_is_made_though_no_cell_is_its_own(tmp_path: Path, story: Path, prompts: Path) -> None:
    results = harness.run(written(tmp_path, story, wins(prompts)), out=tmp_path / "runs")
    found = results.records.set_index("metric")["value"]
    assert 0 <= found["win_rate"] <= 1


def test_its_training_is_in_the_time_that_is_left(tmp_path: Path, story: Path, prompts: Path) -> None:
    plan = make_plan(load_suite(str(written(tmp_path, story, wins(prompts), "5_000"))))
    expected = expected_seconds(plan.cells, False, plan.fingerprint)
    trained = [what for what in expected if isinstance(what, str) and "other" in what]
    assert len(trained) == 1 and expected[trained[0]]
