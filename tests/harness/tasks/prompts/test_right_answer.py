"""The right answer of a document, as it is scored, shown and compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.ask import Asked, Choice
from harness.tasks.config import FewshotConfig, Function, TaskConfig
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


def no_function(function: Function, key: str) -> Callable[..., Any]:
    raise AssertionError("no function is named")


ROW: dict[str, Any] = {"q": "Who", "choices": ["Ann", "Bob"], "label": 1, "many": ["x", "y"], "none": None, "empty": ""}
EXAMPLE = {**ROW, "q": "Which", "label": 0, "choices": ["red", "blue"]}
CHOICE = {"output_type": "multiple_choice", "doc_to_text": "q", "doc_to_choice": "choices", "doc_to_target": "label"}
WRITTEN = {"doc_to_text": "q", "doc_to_target": "many"}


def asked(
    keys: dict[str, Any], row: dict[str, Any] = ROW, shots: list[dict[str, Any]] | None = None, **settings: Any
) -> Asked:
    places = list(enumerate(shots or [], start=5))
    return ask(config(**keys), row, 37, places, PromptSettings(**settings), no_function)


@pytest.mark.parametrize(
    ("target", "gold"),
    [("label", 1), ("{{label}}", 1), (0, 0), ("{{choices[1]}}", 1), ("Ann", 0), ([0, 1], (0, 1)), (["Bob"], (1,))],
)
def test_gold_is_an_index_or_a_text_or_several(target: Any, gold: Any) -> None:
    assert asked({**CHOICE, "doc_to_target": target}).gold == gold


@pytest.mark.parametrize("target", [2, -1, "{{label + 1}}", "{{'Eve'}}", [0, 2], [], "none"])
def test_an_answer_that_is_no_choice_is_an_error_and_scores_nothing_in_lm_eval(target: Any) -> None:
    keys = {**CHOICE, "doc_to_target": target}
    with pytest.raises(
        UserError, match=r"t.yaml:doc_to_target: document 37: the right answer is .* none of the 2 choi"
    ):
        asked(keys)
    gold = asked(keys, mode="lm-eval").gold
    golds = gold if isinstance(gold, tuple) else (gold,)
    assert not all(index in (0, 1) for index in golds) or golds == ()


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
def test_code_that_judges_needs_no_right_choice(mode: Mode) -> None:
    judge = Function(file=Path("f.py"), name="judge")
    found = asked({**CHOICE, "doc_to_target": "yes", "process_results": judge}, mode=mode)
    assert found.gold is None and len(found.requests) == 2
    assert asked({**WRITTEN, "doc_to_target": "none", "process_results": judge}, mode=mode).target in (None, "None")


@pytest.mark.parametrize(
    ("keys", "row", "words"),
    [
        (CHOICE, {**ROW, "label": 2}, "document 37, few-shot example 5: choice 2 is wanted and there are 2"),
        (CHOICE, {**ROW, "label": None}, "document 37, few-shot example 5: its answer is nothing, not text"),
        (CHOICE, {"q": "Who", "label": 0}, "few-shot example 5 has no column `choices`"),
        (
            {**CHOICE, "fewshot_config": FewshotConfig(doc_to_text="{{absent}}")},
            ROW,
            "t.yaml:fewshot_config.doc_to_text: document 37, few-shot example 5: the template failed",
        ),
    ],
)
def test_a_bad_example_is_named(keys: dict[str, Any], row: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        asked(keys, shots=[row])


def test_an_example_without_a_label_is_shown_so_in_lm_eval() -> None:
    assert asked(CHOICE, shots=[{**ROW, "label": None}], mode="lm-eval").requests[0] == Choice("WhoWho", " Ann")
    assert asked(CHOICE, shots=[{**ROW, "label": -1}], mode="lm-eval").requests[0] == Choice("Who Bob\n\nWho", " Ann")


def test_of_several_right_answers_the_first_is_shown() -> None:
    assert asked(WRITTEN, shots=[EXAMPLE]).requests[0].context == "Which x\n\nWho"  # type: ignore[union-attr]
    keys = {**CHOICE, "doc_to_target": [1, 0]}
    assert asked(keys, shots=[EXAMPLE]).requests[0] == Choice("Which blue\n\nWho", " Ann")
