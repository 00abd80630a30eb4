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
from harness.tasks.config import FewshotConfig, Function, Mode, TaskConfig
from harness.tasks.prompts.generation_kwargs import generation
from harness.tasks.prompts.prompt import PromptSettings, ask

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
