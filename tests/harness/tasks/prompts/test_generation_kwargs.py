"""How an answer is written, as a task file says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.ask import Generation
from harness.tasks.config import TaskConfig
from harness.tasks.prompts.generation_kwargs import generation


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


@pytest.mark.parametrize(
    ("given_keys", "expected"),
    [
        (None, {}),
        ({}, {}),
        ({"until": "\n"}, {"until": ("\n",)}),
        ({"until": []}, {"until": ()}),
        ({"until": None}, {"until": ()}),
        ({"max_gen_toks": "7"}, {"max_new": 7}),
        ({"max_completion_tokens": 1, "max_tokens": 2}, {"max_new": 2}),
        ({"max_tokens": 2, "max_new_tokens": 3}, {"max_new": 3}),
        ({"max_new_tokens": 3, "max_gen_toks": 4}, {"max_new": 4}),
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 0.5, "do_sample": False}, {"temperature": 0.0}),
        ({"do_sample": True}, {"temperature": 1.0}),
        ({"do_sample": True, "temperature": 0.0}, {"temperature": 0.0}),
        ({"do_sample": True, "temperature": "0"}, {"temperature": 0.0}),
        ({"do_sample": True, "temperature": None}, {"temperature": 1.0}),
        (
            {"temperature": 0.5, "min_p": 0.1, "repetition_penalty": 1.3},
            {"temperature": 0.5, "min_p": 0.1, "repetition_penalty": 1.3},
        ),
        ({"num_beams": 4, "do_sample": False}, {"beams": 4}),
        (
            {"num_beams": 4, "length_penalty": -0.5, "early_stopping": True},
            {"beams": 4, "length_penalty": -0.5, "early_stopping": True},
        ),
        (
            {"do_sample": True, "temperature": "0.7", "top_p": 0.9, "top_k": 4},
            {"temperature": 0.7, "top_p": 0.9, "top_k": 4},
        ),
        ({"top_k": 0, "num_beams": 1}, {}),
        *(({"do_sample": no, "temperature": 0.5}, {"temperature": 0.0}) for no in (False, 0, "false", "FALSE")),
        *(({"do_sample": yes}, {"temperature": 1.0}) for yes in (True, 1, "true", "True", "TRUE")),
        ({"until": [None, "\n"]}, {"until": ("\n",)}),
        ({"until": None}, {"until": ()}),
        ({"until": "\n"}, {"until": ("\n",)}),
        ({"until": ("5", "\n")}, {"until": ("5", "\n")}),
    ],
)
def test_how_an_answer_is_written(given_keys: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    found = generation(config(generation_kwargs=given_keys, fewshot_delimiter="##", repeats=3), "c")
    plain: dict[str, Any] = {"until": ("##",), "max_new": 256, "samples": 3}
    assert found == Generation(context="c", **(plain | expected))


def test_a_temperature_of_0_that_is_drawn_with_is_an_error_in_lm_eval() -> None:
    for keys in ({"do_sample": True}, {"do_sample": True, "temperature": 0.0}):
        with pytest.raises(
            UserError, match=r"t.yaml:generation_kwargs: `do_sample: true` without a temperature above 0"
        ):
            generation(config(generation_kwargs=keys), "c", "lm-eval")
    assert (
        generation(config(generation_kwargs={"do_sample": True, "temperature": 0.5}), "c", "lm-eval").temperature == 0.5
    )


@pytest.mark.parametrize(
    ("do_sample", "temperature"),
    [("false", 0.5), ("maybe", 0.5), (1, 0.5), (0, 0.0), ("", 0.0), (False, 0.0), (None, 0.5)],
)
def test_lm_eval_takes_do_sample_as_python_does(do_sample: Any, temperature: float) -> None:
    keys = {"do_sample": do_sample, "temperature": 0.5}
    assert generation(config(generation_kwargs=keys), "c", "lm-eval").temperature == temperature


@pytest.mark.parametrize(
    ("given_keys", "words"),
    [
        ({"temprature": 1}, "`temprature` is not understood; did you mean 'temperature'"),
        ({"num_beams": 4, "temperature": 0.5}, "`num_beams: 4`: beam search draws nothing"),
        ({"num_beams": 4, "repetition_penalty": 1.2}, "`num_beams: 4`: beam search and `repetition_penalty`"),
        ({"early_stopping": "soon"}, "`early_stopping: soon` must be true, false or never"),
        ({"seed": 3}, "`seed` is not understood: say `sample_seed` in the suite"),
        ({"max_length": 30}, "`max_length` is not understood: it counts the prompt too: say `max_gen_toks`"),
        ({"temperature": "warm"}, "`temperature: warm` must be a number of 0 or more"),
        ({"max_gen_toks": -1}, "`max_gen_toks: -1` must be a number"),
        ({"temperature": True}, "`temperature: True` must be a number of 0 or more"),
        ({"top_k": False}, "`top_k: False` must be a number of 0 or more"),
        ({"do_sample": "maybe"}, "`do_sample: maybe` must be true or false"),
        ({"do_sample": "0"}, "`do_sample: 0` must be true or false"),
        ({"do_sample": 2}, "`do_sample: 2` must be true or false"),
        ({"do_sample": [True]}, r"`do_sample: \[True\]` must be true or false"),
        ({"max_tokens": 1.5}, "`max_tokens: 1.5` must be a whole number"),
        ({"num_beams": 2.5}, "`num_beams: 2.5` must be a whole number"),
        ({"top_k": 0.5}, "`top_k: 0.5` must be a whole number"),
        ({"top_p": 2}, "`top_p: 2` must be above 0 and at most 1"),
        ({"top_p": 0}, "`top_p: 0` must be above 0 and at most 1"),
        ({"min_p": 3}, "`min_p: 3` must be at most 1"),
        ({"repetition_penalty": 0}, "`repetition_penalty: 0` must be above 0"),
        ({"until": 5}, "`until: 5` must be a text: quote it"),
        ({"until": [False]}, "`until: False` must be a text: quote it"),
        ({"until": ["a", 1.5]}, "`until: 1.5` must be a text: quote it"),
        ({"until": {"a": "b"}}, "`until: {'a': 'b'}` must be a text or a list of texts"),
    ],
)
def test_bad_generation_settings(given_keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"t.yaml:generation_kwargs: {words}"):
        generation(config(generation_kwargs=given_keys), "c")
