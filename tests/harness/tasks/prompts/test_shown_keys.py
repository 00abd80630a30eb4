"""Whether two rows show the same question, whatever their ids say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.tasks.config import FewshotConfig, TaskConfig
from harness.tasks.prompts.shown_keys import shown_keys

ASKED = {"output_type": "generate_until", "doc_to_text": "Q: {{q}}", "doc_to_target": "{{a}}"}
CHOSEN = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{q}}",
    "doc_to_choice": "{{[b, c]}}",
    "doc_to_target": "{{b}}",
}
BARE = CHOSEN | {"doc_to_text": ""}
TEXT = {"output_type": "loglikelihood", "doc_to_text": "", "doc_to_target": "{{q}}"}
CONSTANT = ASKED | {"doc_to_text": "Go on."}


def same(keys: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> bool:
    config = TaskConfig(task="t", file=Path("t.yaml"), **keys)
    found = [shown_keys(config, row, lambda function, key: pytest.fail("no function is named")) for row in (one, other)]
    assert all(found), "each shows something"
    return not found[0].isdisjoint(found[1])


ROW = {"id": 1, "q": "Who wrote Emma?", "a": "Austen", "b": "Austen", "c": "Scott"}


@pytest.mark.parametrize(
    ("keys", "change", "expected"),
    [
        (ASKED, {"id": 2}, True),
        (ASKED, {"q": " Who  wrote\nEmma?"}, True),
        (ASKED, {"a": "Scott"}, True),
        (ASKED, {"q": "Who wrote Ivanhoe?"}, False),
        (ASKED | {"gen_prefix": "A{{id}}"}, {"id": 2}, False),
        (CHOSEN, {"id": 2}, True),
        (CHOSEN, {"b": "Scott", "c": "Austen"}, True),
        (CHOSEN, {"c": "Byron"}, True),
        (CHOSEN, {"b": "Byron"}, False),
        (BARE, {"id": 2, "q": "other"}, True),
        (BARE, {"c": "Byron"}, False),
        (TEXT, {"id": 2}, True),
        (TEXT, {"q": "Another text"}, False),
        (CONSTANT, {"id": 2}, True),
        (CONSTANT, {"a": "Scott"}, False),
    ],
)
def test_rows_that_show_the_same(keys: dict[str, Any], change: dict[str, Any], expected: bool) -> None:
    assert same(keys, ROW, ROW | change) is expected


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert same(ASKED, ROW | {"q": "caf\u00e9?"}, ROW | {"q": "cafe\u0301?"})


def test_what_an_example_shows_counts_too() -> None:
    own = ASKED | {"fewshot_config": FewshotConfig(doc_to_text="Q: {{shown}}")}
    assert same(own, ROW | {"shown": "x"}, ROW | {"q": "y", "shown": "Who wrote Emma?"})
    assert not same(own, ROW | {"shown": "x"}, ROW | {"q": "y", "shown": "z"})


def test_a_row_that_can_not_be_shown_shows_nothing() -> None:
    config = TaskConfig(task="t", file=Path("t.yaml"), **ASKED)
    assert shown_keys(config, {"id": 1}, lambda function, key: pytest.fail("none")) == frozenset()


def test_a_row_whose_answer_can_not_be_read_shows_its_question() -> None:
    answer_lost = {key: value for key, value in ROW.items() if key != "a"}
    assert same(ASKED, answer_lost | {"id": 2}, ROW) and not same(ASKED, answer_lost | {"q": "Who?"}, ROW)
    digits = CHOSEN | {"doc_to_target": "a"}
    row = {"q": "Which?", "a": "1", "b": "1", "c": "2"}  # nobody knows which choice 1 is
    assert same(digits, row, row | {"id": 2}) and not same(digits, row, row | {"c": "3"})


def test_a_number_is_a_question() -> None:
    number = ASKED | {"doc_to_text": "n"}
    assert same(number, ROW | {"n": 5}, ROW | {"n": 5, "id": 2})
    assert not same(number, ROW | {"n": 5}, ROW | {"n": 7}), "the answer alone is not the question"
