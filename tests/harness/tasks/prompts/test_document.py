"""What templates make of a document, and the sentence where they make nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.config import Function, LoadFunction, TaskConfig
from harness.tasks.prompts.document import Shown, shown
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.rendering import column_or_template

ROW: dict[str, Any] = {
    "question": "Who?\n",
    "choices": ["Ann", "Bob"],
    "label": 1,
    "digits": "1",
    "listed": "['Ann', 'Bob']",
    "price": 2.5,
    "nothing": None,
}


def no_function(function: Function, key: str) -> Callable[..., Any]:
    raise AssertionError("no function is named")


def show(function: LoadFunction = no_function, **keys: Any) -> Shown:
    keys = {"doc_to_text": "question", "doc_to_target": "label"} | keys
    templates = Templates.asked(TaskConfig(task="t", file=Path("t.yaml"), **keys))
    return shown(templates, ROW, "document 37", function)


@pytest.mark.parametrize(
    ("keys", "text", "target"),
    [
        ({"doc_to_text": "{{label}}"}, "1", 1),  # a number is an index only where there are choices
        ({"doc_to_text": "{{label}}", "doc_to_choice": "choices"}, 1, 1),
        ({"doc_to_text": "digits", "doc_to_choice": "choices"}, "1", 1),  # a text stays one
        ({"doc_to_text": "digits", "doc_to_choice": "choices", "doc_to_target": "{{'is tall.'}}"}, 1, "is tall."),
        ({"doc_to_text": "{{choices}}"}, "['Ann', 'Bob']", 1),
        ({"doc_to_text": "price"}, "2.5", 1),
        ({"doc_to_target": "{{label}}"}, "Who?\n", 1),
        ({"doc_to_target": "{{label}} "}, "Who?\n", "1 "),
        ({"doc_to_target": "{{listed}}"}, "Who?\n", "['Ann', 'Bob']"),
        ({"doc_to_target": "{{label == 1}}"}, "Who?\n", "True"),
        ({"doc_to_target": "{{label == 1}}", "doc_to_choice": "choices"}, "Who?\n", 1),
        ({"doc_to_target": "{{label}}", "doc_to_choice": "choices"}, "Who?\n", 1),
        ({"doc_to_target": "digits", "doc_to_choice": "choices"}, "Who?\n", 1),  # digits that are no choice: an index
        ({"doc_to_target": "{{choices}}"}, "Who?\n", ["Ann", "Bob"]),
        ({"doc_to_target": "[{{question}}]"}, "Who?\n", "[Who?\n]"),  # no list after all
        ({"doc_to_target": "listed"}, "Who?\n", "['Ann', 'Bob']"),
        ({"doc_to_target": ["x", "y"]}, "Who?\n", ["x", "y"]),
        ({"doc_to_target": 0}, "Who?\n", 0),
        ({"doc_to_target": "price"}, "Who?\n", "2.5"),
        ({"doc_to_target": "Bob", "doc_to_choice": "choices"}, "Who?\n", 1),  # no column, but a choice
    ],
)
def test_text_and_target(keys: dict[str, Any], text: Any, target: Any) -> None:
    found = show(**keys)
    assert (found.text, found.target) == (text, target)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ("choices", ["Ann", "Bob"]),
        ("{{choices + ['Eve']}}", ["Ann", "Bob", "Eve"]),
        (["no", "yes"], ["no", "yes"]),
        ({"a": "no", "b": "yes"}, ["no", "yes"]),
    ],
)
def test_choices(choices: Any, expected: list[str]) -> None:
    assert show(doc_to_choice=choices).choices == expected


def test_functions_get_the_document_and_their_key() -> None:
    calls = []

    def load(function: Function, key: str) -> Callable[..., Any]:
        calls.append((function.name, key))
        return lambda row: row["choices"] if function.name == "names" else f"{row['question']}!"

    ask, names = Function(file=Path("f.py"), name="ask"), Function(file=Path("f.py"), name="names")
    found = show(load, doc_to_text=ask, doc_to_choice=names)
    assert (found.text, found.choices) == ("Who?\n!", ["Ann", "Bob"])
    assert sorted(calls) == [("ask", "doc_to_text"), ("names", "doc_to_choice")]


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"doc_to_text": "{{quesion}}"}, "t.yaml:doc_to_text", ["document 37", "'quesion' is undefined", "question"]),
        ({"doc_to_text": "{{label + question}}"}, "t.yaml:doc_to_text", ["document 37", "TypeError"]),
        ({"doc_to_text": "{{question"}, "t.yaml:doc_to_text", ["document 37", "TemplateSyntaxError"]),
        ({"doc_to_text": "{{''.__class__.__mro__}}"}, "t.yaml:doc_to_text", ["document 37", "SecurityError"]),
        ({"doc_to_text": "quesion"}, "t.yaml:doc_to_text", ["no column `quesion`", "did you mean 'question'"]),
        ({"doc_to_text": "nothing"}, "t.yaml:doc_to_text", ["document 37", "it gives nothing, not text"]),
        ({"doc_to_text": None}, "t.yaml:doc_to_text", ["there is no `doc_to_text`"]),
        ({"doc_to_target": "lable"}, "t.yaml:doc_to_target", ["no column `lable`", "did you mean 'label'"]),
        ({"doc_to_choice": "chioces"}, "t.yaml:doc_to_choice", ["no column `chioces`", "did you mean 'choices'"]),
        ({"doc_to_choice": "{{question}}"}, "t.yaml:doc_to_choice", ["is no list of choices"]),
        ({"doc_to_choice": "listed"}, "t.yaml:doc_to_choice", ["it gives no choices"]),
        ({"doc_to_choice": []}, "t.yaml:doc_to_choice", ["it gives no choices"]),
        ({"doc_to_choice": ["a", 2]}, "t.yaml:doc_to_choice", ["choice 1 is int"]),
        ({"doc_to_choice": ["a", None]}, "t.yaml:doc_to_choice", ["choice 1 is nothing"]),
    ],
)
def test_what_fails_is_one_sentence_with_file_key_and_document(
    keys: dict[str, Any], place: str, words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        show(**keys)
    assert caught.value.place == place and "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_function_that_fails_is_named() -> None:
    def load(function: Function, key: str) -> Callable[..., Any]:
        return lambda row: row["absent"]

    with pytest.raises(
        UserError, match="document 37: the function `f` failed with KeyError: 'absent'; its columns are"
    ):
        show(load, doc_to_text=Function(file=Path("f.py"), name="f"))


def test_a_word_that_is_no_column_is_a_text_only_where_lm_eval_is_imitated() -> None:
    config = TaskConfig(task="t", file=Path("t.yaml"), doc_to_text="quesion", doc_to_target="label")
    assert shown(Templates.asked(config, "lm-eval"), ROW, "document 0", no_function).text == "quesion"
    with pytest.raises(UserError, match="no column `lable`"):
        column_or_template("cluster", "lable", ROW, "t.yaml", "document 0", no_function)
    assert column_or_template("cluster", "{{label}}/{{digits}}", ROW, "t.yaml", "document 0", no_function) == "1/1"
