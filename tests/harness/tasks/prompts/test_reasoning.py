"""Directly or step by step, once or several times: what becomes of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep, Function, MetricConfig, Reasoning, TaskConfig
from harness.tasks.judging import filters
from harness.tasks.prompts.generation_kwargs import generation
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.prompts.reasoning import with_reasoning, with_samples

REGEX = FilterStep(function="regex", options={"regex_pattern": "([0-9]+)"})
FIRST, VOTE = FilterStep(function="take_first"), FilterStep(function="majority_vote")
STRICT = FilterPipeline(name="strict", steps=(REGEX, FIRST))


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **({"doc_to_text": "Q: {{q}}\nA:", "doc_to_target": "a"} | keys))


def extracted(task: TaskConfig, *texts: str) -> dict[str, Any]:
    def no_function(function: Function, key: str) -> Any:
        raise AssertionError("no function is named")

    return {
        pipeline.name: filters.apply(pipeline, texts, row={}, mode="right", function=no_function, place="t.yaml").value
        for pipeline in task.filter_list or ()
    }


def test_a_file_says_what_differs() -> None:
    task = config(
        reasoning={
            "direct": {"gen_prefix": "Answer:"},
            "cot": {"doc_to_text": "Steps: {{q}}", "description": "Think."},
            "cot_zero_shot": {"doc_to_text": "{{q}} Let us see."},
        }
    )
    assert with_reasoning(task, "direct", 3).gen_prefix == "Answer:"
    steps = with_reasoning(task, "cot", 3)
    assert (steps.doc_to_text, steps.description, steps.gen_prefix) == ("Steps: {{q}}", "Think.", None)
    alone = with_reasoning(task, "cot", 0)
    assert (alone.doc_to_text, alone.description) == ("{{q}} Let us see.", "Think.")
    assert steps.task == task.task  # the same documents and examples: a paired comparison


def test_direct_is_the_task_itself() -> None:
    assert with_reasoning(config(), "direct", 5) == config()
    assert with_reasoning(config(reasoning={"cot": {"gen_prefix": "So"}}), "direct", 0).gen_prefix is None


def test_step_by_step_where_the_file_says_nothing() -> None:
    task = with_reasoning(config(generation_kwargs={"until": ["\n", "END"], "max_new_tokens": 9}), "cot", 0)
    asked = ask(task, {"q": "1 + 1?", "a": "2"}, 0, [], PromptSettings(), lambda function, key: pytest.fail("none"))
    request = asked.requests[0]
    assert request == generation(task, "Q: 1 + 1?\nA: Let's think step by step.")
    assert generation(task, "").until == ("END", "Q:")  # steps have line breaks; a next question is the end
    assert generation(task, "").max_new == 512
    long = with_reasoning(config(generation_kwargs={"max_gen_toks": 2000}), "cot", 0)
    assert generation(long, "").max_new == 2000


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ("First 3-5 is -2. The answer is 12.", "12", "12"),
        ("so the answer is $1,234.50. Done", "1,234.50", "1,234.50"),
        ("2 and 2 are 4. #### 4", "4", "4"),
        ("It has 5. Answer: (B) because", "(B)", "(B)"),
        ("The answer is: **Paris**.", "Paris", "[invalid]"),
        ("Hence the answer is New York. That is 1 city", "New York", "1"),
        ("It should be 5, or 3-2", "[invalid]", "2"),
        ("A6 and B7", "[invalid]", "[invalid]"),
        ("", "[invalid]", "[invalid]"),
    ],
)
def test_answers_are_found_by_a_strict_and_by_a_flexible_rule(text: str, strict: str, flexible: str) -> None:
    task = with_reasoning(config(), "cot", 0)
    assert extracted(task, text) == {"strict-match": strict, "flexible-extract": flexible}


@pytest.mark.parametrize(
    ("keys", "reasoning", "shots", "words"),
    [
        ({"output_type": "multiple_choice"}, "cot", 0, "a multiple_choice task has no steps to write"),
        ({}, "cot", 2, "its few-shot examples have no steps: ask with `shots: 0`"),
        ({"reasoning": {"cot_zero_shot": {"gen_prefix": "So"}}}, "cot", 2, "without few-shot examples only"),
    ],
)
def test_no_way_to_reason(keys: dict[str, Any], reasoning: Reasoning, shots: int, words: str) -> None:
    with pytest.raises(UserError, match=f"t.yaml:reasoning: .*{words}"):
        with_reasoning(config(**keys), reasoning, shots)


def test_several_samples_have_a_vote_beside_the_first_answer() -> None:
    task = with_samples(config(filter_list=(STRICT,)), 5, 0.7, 0.9)
    drawn = generation(task, "")
    assert (drawn.samples, drawn.temperature, drawn.top_p, drawn.until) == (5, 0.7, 0.9, ("\n\n",))
    # what nothing is found in has no vote
    assert extracted(task, "1", "none", "none", "none", "2 2", "is 2") == {"strict": "1", "strict-maj@5": "2"}
    assert extracted(with_samples(config(), 3, 1.0, None), "a", "b", "b") == {"none": "a", "maj@3": "b"}


def test_votes_only_where_there_is_something_to_vote_on() -> None:
    voting = FilterPipeline(name="voting", steps=(REGEX, VOTE, FIRST))
    each = FilterPipeline(name="each", steps=(REGEX,))
    names = [
        pipeline.name
        for pipeline in with_samples(config(filter_list=(voting, each, STRICT)), 3, 1.0, None).filter_list or ()
    ]
    assert names == ["voting", "each", "strict", "strict-maj@3"]
    assert with_samples(config(filter_list=(STRICT,)), 1, 1.0, None).filter_list == (STRICT,)
    programs = config(metric_list=(MetricConfig(metric="pass@k"),))
    assert with_samples(programs, 3, 1.0, None).filter_list is None


def test_samples_as_the_file_has_them() -> None:
    task = config(repeats=4, filter_list=(STRICT,), generation_kwargs={"temperature": 0.2})
    assert with_samples(task, None, None, None) == task
    assert generation(with_samples(task, None, 0.9, None), "").temperature == 0.9
    assert generation(with_samples(task, 1, 0.0, None), "").temperature == 0.0
    greedy = generation(with_samples(task, None, 0.0, None), "")
    assert (greedy.temperature, greedy.samples) == (0.0, 4), "the file's four are computed once and are all the same"


@pytest.mark.parametrize(
    ("keys", "samples", "temperature", "words"),
    [
        ({"output_type": "multiple_choice"}, 3, None, "a multiple_choice task writes no answers"),
        ({}, 3, None, "3 samples of a greedy answer would all be the same"),
        ({"generation_kwargs": {"do_sample": False, "temperature": 0.7}}, 3, None, "3 samples of a greedy answer"),
    ],
)
def test_samples_that_make_no_sense(
    keys: dict[str, Any], samples: int | None, temperature: float | None, words: str
) -> None:
    with pytest.raises(UserError, match=f"t.yaml: {words}"):
        with_samples(config(**keys), samples, temperature, None)
