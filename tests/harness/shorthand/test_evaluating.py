"""An evaluation as the suite that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.shorthand.evaluating import Evaluation, evaluation_suite
from harness.shorthand.model_name import named_models
from harness.suite.load import load_suite


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def suite(**asked: Any) -> dict[str, Any]:
    settings = asked.pop("settings", None)
    models = named_models(["nano"], Path("runs"), settings)
    made = evaluation_suite(models, Evaluation(**{"tasks": ["microworld_facts"], **asked}))
    load_suite(made)  # refuses what is none
    return made


def test_what_is_left_out_is_left_out() -> None:
    assert suite() == {
        "name": "eval-nano",
        "models": {"nano": {"reference": "nano", "train": {"corpus": "microworld", "tokens": 1_000_000}}},
        "measures": [{"task": {"task": "microworld_facts"}}],
    }


def test_every_setting_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    made = suite(
        shots=[0, 5], limit=100.0, precision=["fp32", "int8"], device="cpu", chat=True, multi_turn=False,
        system="Be brief.", chat_template_args={"enable_thinking": False}, context=64, shot_seed=3, sample_seed=4,
        mode="lm-eval", metadata={"a": 1}, tasks_path=["own"], data={"microworld": "w.jsonl"},
    )  # fmt: skip
    assert made["matrix"] == {"precision": ["fp32", "int8"], "device": "cpu"}
    assert made["tasks"] == {"paths": ["own"], "data": {"microworld": "w.jsonl"}}
    assert made["measures"][0]["task"] == {
        "task": "microworld_facts", "shots": [0, 5], "documents": 100, "chat": True, "multi_turn": False,
        "chat_template_args": {"enable_thinking": False}, "system": "Be brief.", "context": 64, "metadata": {"a": 1},
        "shot_seed": 3, "sample_seed": 4, "mode": "lm-eval",
    }  # fmt: skip


def test_a_limit_is_a_number_or_a_share() -> None:
    assert suite(limit=1.0)["measures"][0]["task"]["documents"] == 1, "as lm-eval has it"
    assert suite(limit=0.1)["measures"][0]["task"]["documents"] == 0.1
    for none in (0.0, -1.0, 1.5):
        with pytest.raises(UserError, match="documents"):
            suite(limit=none)


def test_settings_of_generation_are_for_the_tasks_that_write() -> None:
    made = suite(tasks=["microworld_facts,microworld_addition_1", "microworld_capitals"], generation={"max_tokens": 4})
    assert [entry["task"] for entry in made["measures"]] == [
        {"task": ["microworld_facts", "microworld_capitals"]},
        {"task": "microworld_addition_1", "generation": {"max_tokens": 4}},
    ]


def test_documents_by_task() -> None:
    made = suite(tasks=["microworld_facts", "microworld_capitals"], document_ids={"microworld_facts": "3,7", "": "1"})
    assert [entry["task"]["document_ids"] for entry in made["measures"]] == ["3,7", "1"]
    with pytest.raises(UserError, match="'arc_easy' are chosen, which is none of the tasks"):
        suite(document_ids={"arc_easy": "1"})


def test_a_budget_of_steps_stands_in_place_of_tokens() -> None:
    train = suite(settings={"train": {"steps": 3}})["models"]["nano"]["train"]
    assert train == {"corpus": "microworld", "steps": 3}


def test_task_files_and_folders_of_them(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"mine/{name}.yaml").write_text(f"task: {name}\ndataset_path: x.jsonl\ntest_split: test\n")
    both = ["mine/a.yaml", "mine/b.yaml"]
    for given in ("mine", "mine/", "mine/*.yaml", "mine/a.yaml,mine/b.yaml,mine/a.yaml"):
        made = evaluation_suite({}, Evaluation(tasks=[given]))
        assert made["measures"][0]["task"]["task"] == both
    for none in ("mine/c*.yaml", "", " , "):
        with pytest.raises(UserError, match=r"^--tasks: "):
            evaluation_suite({}, Evaluation(tasks=[none]))


def test_one_turn_is_of_a_conversation() -> None:
    with pytest.raises(UserError, match="turns are the chat template's"):
        suite(multi_turn=False)


def test_an_unknown_task_has_its_nearest_names() -> None:
    with pytest.raises(
        UserError, match=r"no task, group or tag 'mmlu_biology'; did you mean '.*'\? \(also near: .*, .*, .*, "
    ):
        suite(tasks=["mmlu_biology"], generation={"max_tokens": 1})
