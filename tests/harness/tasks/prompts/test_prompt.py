"""What is asked about a document: in the default mode, where it is wrong, and how an answer is to be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, Generation, Rolling
from harness.tasks.config import Function, TaskConfig
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings

ROW: dict[str, Any] = {"q": "Who", "choices": ["Ann", "Bob"], "label": 1, "many": ["x", "y"], "none": None, "empty": ""}
EXAMPLE = {**ROW, "q": "Which", "label": 0, "choices": ["red", "blue"]}
CHOICE = {"output_type": "multiple_choice", "doc_to_text": "q", "doc_to_choice": "choices", "doc_to_target": "label"}
WRITTEN = {"doc_to_text": "q", "doc_to_target": "many"}


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


def no_function(function: Function, key: str) -> Callable[..., Any]:
    raise AssertionError("no function is named")


def asked(
    keys: dict[str, Any], row: dict[str, Any] = ROW, shots: list[dict[str, Any]] | None = None, **settings: Any
) -> Asked:
    places = list(enumerate(shots or [], start=5))
    return ask(config(**keys), row, 37, places, PromptSettings(**settings), no_function)


def test_one_document_of_each_kind() -> None:
    found = asked(CHOICE, shots=[EXAMPLE])
    assert found.requests == (Choice("Which red\n\nWho", " Ann"), Choice("Which red\n\nWho", " Bob"))
    assert (found.task, found.document, found.row, found.shots) == ("t", 37, ROW, (5,))
    assert (found.choices, found.gold) == (("Ann", "Bob"), 1)
    ending = asked({"output_type": "loglikelihood", "doc_to_text": "q", "doc_to_target": "{{' is ' + choices[0]}}"})
    assert ending.requests == (Choice("Who", " is Ann"),)
    whole = asked({"output_type": "loglikelihood_rolling", "doc_to_target": "{{q}}!"}, shots=[EXAMPLE])
    assert whole.requests == (Rolling("Who!"),)
    written = asked(WRITTEN)
    assert written.requests == (Generation("Who", ("\n\n",), 256),) and written.target == ("x", "y")


def test_a_cluster_is_the_column_or_what_a_template_makes() -> None:
    assert asked({**CHOICE, "cluster": "label"}).cluster == "1"
    assert asked({**CHOICE, "cluster": "{{q|regex_replace('o', '0')}}"}).cluster == "Wh0"
    with pytest.raises(UserError, match=r"t.yaml:cluster: document 37 has no column `lable`; did you mean 'label'"):
        asked({**CHOICE, "cluster": "lable"})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({**CHOICE, "doc_to_choice": ["a", ""]}, "t.yaml:doc_to_choice: document 37: choice 1 is empty"),
        ({**CHOICE, "doc_to_choice": None}, "t.yaml:doc_to_choice: document 37: a multiple_choice task needs"),
        ({**WRITTEN, "doc_to_target": "none"}, "t.yaml:doc_to_target: document 37: it gives nothing, not an answer"),
        (
            {"output_type": "loglikelihood", "doc_to_text": "q", "doc_to_target": "empty"},
            "t.yaml:doc_to_target: document 37: it gives no text to be scored",
        ),
        (
            {"output_type": "loglikelihood", "doc_to_text": "q", "doc_to_target": "many"},
            "t.yaml:doc_to_target: document 37: it gives list where one text is wanted",
        ),
        ({**WRITTEN, "description": "{{absent}}"}, "t.yaml:description: document 37: the template failed"),
        ({**WRITTEN, "gen_prefix": "{{absent}}"}, "t.yaml:gen_prefix: document 37: the template failed"),
    ],
)
def test_bad_documents(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        asked(keys)


def test_choices_that_are_questions() -> None:
    keys = {**CHOICE, "doc_to_text": "label", "doc_to_target": "{{' is here'}}", "target_delimiter": ""}
    found = asked(keys, shots=[EXAMPLE], unconditional=True)
    assert found.requests == (
        Choice("red is here\n\nAnn", " is here"),
        Choice("red is here\n\nBob", " is here"),
        Choice("", "Ann"),
        Choice("", "Bob"),
    )
    assert found.gold == 1
    with pytest.raises(UserError, match="the right answer is 2"):
        asked(keys, {**ROW, "label": 2})
    for target in ("label", "{{choices[0]}}"):  # a question of digits alone: not what the file's author meant
        with pytest.raises(
            UserError, match=r"t.yaml:doc_to_text: document 37: its text is a number, 1, so the choices are"
        ):
            asked({**CHOICE, "doc_to_text": "{{label}}", "doc_to_target": target})


def test_a_function_that_changes_its_document_changes_nothing_else() -> None:
    def load(function: Function, key: str) -> Callable[..., Any]:
        def spoil(row: dict[str, Any]) -> str:
            row["choices"].append("Eve")
            return str(row.pop("q"))

        return spoil

    row, example = {**ROW, "choices": ["Ann", "Bob"]}, {**EXAMPLE, "choices": ["red", "blue"]}
    keys = {**WRITTEN, "doc_to_text": Function(file=Path("f.py"), name="f")}
    for _ in range(2):
        found = ask(config(**keys), row, 0, [(0, example)], PromptSettings(), load)
        assert found.requests[0].context == "Which x\n\nWho"  # type: ignore[union-attr]
    assert row == ROW and example == EXAMPLE


@given(st.text("a \n", max_size=4), st.text("b \n", max_size=4), st.sampled_from(["", " ", "\n", "=>"]))
def test_begun_answers_are_joined_with_one_white_space_at_most(question: str, begun: str, delimiter: str) -> None:
    keys = {"doc_to_text": "q", "doc_to_target": "many", "gen_prefix": "begun", "target_delimiter": delimiter}
    row = {**ROW, "q": question, "begun": begun}
    context = asked(keys, row).requests[0].context  # type: ignore[union-attr]
    bare = not question or not begun or question[-1].isspace() or begun[0].isspace()
    assert context == question + ("" if bare else delimiter) + begun
