"""The shipped tasks whose answers are numbers, from what a model writes to right or wrong."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mode import Mode
from harness.tasks.ask import Asked, Generation, GenerationAnswer
from harness.tasks.config import TaskConfig
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging import metrics
from harness.tasks.prompts.reasoning import with_reasoning, with_samples

FLEXIBLE, STRICT = "exact_match/flexible-extract", "exact_match/strict-match"


def judged(config: TaskConfig, target: str, *texts: str, mode: Mode = "right") -> dict[str, Any]:
    asked = Asked(config.task, 0, {}, (Generation("q", (), 8, samples=len(texts)),), target=target)

    def none(function: object, key: str) -> Any:
        raise AssertionError("no task code")

    return metrics.score(config, asked, GenerationAnswer(texts), mode=mode, function=none).items


@pytest.fixture(scope="module")
def library() -> TaskLibrary:
    return TaskLibrary()


@pytest.mark.parametrize("task", ["gsm8k", "svamp"])
@pytest.mark.parametrize(
    ("text", "target", "right"),
    [
        ("It costs $29.00.", "29", 1),
        ("The answer is 72...", "72", 1),
        ("The answer is 72 ... I think ...", "72", 1),
        ("so 1,234 apples", "1234", 1),
        ("$1,234.50 in all", "1234.5", 1),
        ("It is \u22125 degrees.", "-5", 1),
        ("It is \u22125 degrees.", "5", 0),
        ("It is \u20135.", "5", 0),
        ("between 5-10", "10", 1),
        ("72.0", "72", 1),
        ("072", "72", 1),
        ("50%", "50", 1),
        ("72.5", "72", 0),
        ("720", "72", 0),
        ("no idea ...", "72", 0),
        ("72 or 73", "72", 0),
    ],
)
def test_the_last_number_is_judged_as_a_number(
    library: TaskLibrary, task: str, text: str, target: str, right: int
) -> None:
    config = with_reasoning(library.config(task), "direct", 0)
    assert judged(config, target, text)[FLEXIBLE] == right


@pytest.mark.parametrize(
    ("text", "right"), [("so 70 + 2 = 72\n#### 72", 1), ("#### 72.00", 1), ("#### $72", 0), ("####  72", 0), ("72", 0)]
)
def test_gsm8k_step_by_step_wants_its_mark(library: TaskLibrary, text: str, right: int) -> None:
    config = with_reasoning(library.config("gsm8k"), "cot", 8)
    found = judged(config, "It is 72.\n#### 72", text)
    assert (found[STRICT], found[FLEXIBLE]) == (right, 1)


@pytest.mark.parametrize(
    ("text", "flexible"),
    # what lm-evaluation-harness 0.4.13 makes of them
    [("It costs $29.00.", 0), ("so 29.", 1), ("$29", 1), ("29 ...", 0), ("29...", 0)],
)
def test_mode_lm_eval_keeps_lm_evals_rule(library: TaskLibrary, text: str, flexible: int) -> None:
    config = with_reasoning(library.config("gsm8k"), "cot", 8)
    assert judged(config, "#### 29", text, mode="lm-eval")[FLEXIBLE] == flexible


@pytest.mark.parametrize("task", ["microworld_addition_1", "microworld_word_problems"])
def test_the_embedded_corpus_numbers_are_numbers(library: TaskLibrary, task: str) -> None:
    config = library.config(task)
    assert judged(config, "7", " 07.")[STRICT] == judged(config, "7", "7")[FLEXIBLE] == 1
    assert judged(config, "7", " 17.")[FLEXIBLE] == 0


def test_the_output_of_a_program_is_a_text(library: TaskLibrary) -> None:
    assert judged(library.config("microworld_code"), "3", "3.0")[STRICT] == 0


def test_a_vote_counts_numbers(library: TaskLibrary) -> None:
    config = with_samples(with_reasoning(library.config("gsm8k"), "direct", 0), 5, 0.7, None)
    texts = ("71", "It is 72.0", "71", "$72", "72...")
    assert judged(config, "72", *texts)["exact_match/flexible-extract-maj@5"] == 1
