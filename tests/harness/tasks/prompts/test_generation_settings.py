"""What a suite says of how answers are written, over the task file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.config import TaskConfig
from harness.tasks.prompts.generation_settings import check_keys, with_generation
from harness.tasks.prompts.prompt import generation


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


FILE = {"until": ["\n"], "max_gen_toks": 256, "do_sample": False, "temperature": 0.0}


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (FILE, {"max_tokens": 5}, {"max_new": 5, "until": ("\n",), "temperature": 0}),
        (FILE, {"max_gen_toks": 5}, {"max_new": 5}),
        ({"max_new_tokens": 99}, {"max_tokens": 5}, {"max_new": 5}),
        (FILE, {"until": ["a", "b"]}, {"until": ("a", "b"), "max_new": 256}),
        (FILE, {"until": []}, {"until": ()}),
        (FILE, {"temperature": 0.7}, {"temperature": 0.7}),
        (FILE, {"temperature": "0.7"}, {"temperature": 0.7}),
        ({"do_sample": True, "temperature": 0.7}, {"temperature": 0}, {"temperature": 0}),
        (FILE, {"temperature": 0.7, "top_p": 0.9, "top_k": 40}, {"temperature": 0.7, "top_p": 0.9, "top_k": 40}),
        (None, {"max_tokens": 5}, {"max_new": 5, "until": ("\n\n",)}),
        (None, {}, {"max_new": 256, "until": ("\n\n",)}),
    ],
)
def test_over_the_task_file(own: dict[str, Any] | None, given: dict[str, Any], expected: dict[str, Any]) -> None:
    request = generation(with_generation(config(generation_kwargs=own), given), "context")
    assert {name: getattr(request, name) for name in expected} == expected


def test_a_task_that_writes_nothing_is_left_as_it_is() -> None:
    by_choice = config(output_type="multiple_choice")
    assert with_generation(by_choice, {"max_tokens": 5}) is by_choice


@pytest.mark.parametrize("given", [{"max_tokens": "many"}, {"temperature": -1}, {"top_k": "x"}])
def test_a_value_that_is_none(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="must be a number") as caught:
        with_generation(config(), given)
    assert caught.value.place == "`generation` for t"


def test_a_key_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match=r"unknown key 'max_token'; did you mean 'max_tokens'\?"):
        check_keys({"max_token": 5})
