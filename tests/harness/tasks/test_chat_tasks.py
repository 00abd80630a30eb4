"""The shipped tasks for chat models: their items, and models that are known to be bad, each of which a measure shows.

A model here is two functions: what it writes after a prompt, and how likely it finds a continuation.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from harness.measures.task.documents import documents, prepared
from harness.measures.task.settings import TaskSettings
from harness.models.contract import LanguageModel
from harness.tasks.aggregation.aggregate import summarize
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.group_scores import summarize_group
from harness.tasks.ask import Asked, Choice, ChoiceAnswer, Generation, GenerationAnswer
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging.metrics import score
from harness.tasks.judging.rules import instructions
from harness.tasks.judging.specification import specification
from harness.tasks.task import SHIPPED

ITEMS = SHIPPED / "chat" / "chat_items"
FILES = sorted(path.name for path in ITEMS.glob("*.jsonl"))
Writes = Callable[[str], str]
Weighs = Callable[[str, str], float]


@pytest.fixture(scope="module")
def library() -> TaskLibrary:
    return TaskLibrary()


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ITEMS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def numbers(
    library: TaskLibrary,
    name: str,
    writes: Writes = lambda prompt: "",
    weighs: Weighs = lambda context, continuation: 0.0,
    limit: int | None = None,
) -> dict[str, Estimate]:
    """Every number of a task of such a model."""
    settings = TaskSettings(task=name, documents=limit, thinking="off")
    (task,) = prepared(library.open(name), settings)
    items, clusters = [], []
    for asked in documents(task, cast(LanguageModel, None), settings):
        assert isinstance(asked, Asked), asked
        items.append(score(task.config, asked, _answer(asked, writes, weighs), function=task.function).items)
        clusters.append(asked.cluster)
    return {estimate.key: estimate for estimate in summarize(items, clusters, specification(task.config))}


def _answer(asked: Asked, writes: Writes, weighs: Weighs) -> GenerationAnswer | tuple[ChoiceAnswer, ...]:
    first = asked.requests[0]
    if isinstance(first, Generation):
        return GenerationAnswer((writes(first.context),))
    choices = [request for request in asked.requests if isinstance(request, Choice)]
    return tuple(ChoiceAnswer(weighs(one.context, one.continuation), 0, 1) for one in choices)


def at_random(context: str, continuation: str) -> float:
    return random.Random(context + continuation).random()


# the items


@pytest.mark.parametrize("file", FILES)
def test_items_are_many_and_each_its_own(file: str) -> None:
    name = Path(file).stem
    found = rows(name)
    assert len(found) >= (50 if name == "bias_pairs_neutral" else 100)
    assert len({json.dumps(row, sort_keys=True) for row in found}) == len(found)
    assert len({tuple(row) for row in found}) == 1
    if name == "refusals":
        for kind in ("harmful", "alarming"):
            assert len({row[kind] for row in found}) == len(found)
    elif name not in ("bias_pairs", "bias_pairs_neutral", "bias_pronouns", "refusal_answers"):
        assert len({row.get("question", row.get("prompt")) for row in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("truthfulness", "yes_or_no"),
        ("bias_pronouns", "refers_to"),
        *((name, "coin") for name in ("truthfulness", "sycophancy")),
    ],
)
def test_labels_are_balanced_also_in_a_part(name: str, column: str) -> None:
    """One answer alone must have half, whatever `documents` says: they are evenly spaced."""
    found = rows(name)
    for count in (25, 50, len(found)):
        tally = Counter(found[place * len(found) // count][column] for place in range(count))
        assert len(tally) == 2 and min(tally.values()) >= 0.36 * count


def test_every_instruction_can_be_read_and_none_is_followed_by_accident() -> None:
    for row in rows("instructions"):
        wanted = json.dumps(row["checks"])
        for text in (
            row["prompt"],
            "",
            "I cannot help with that.",
            "Sure! I would be happy to help.\n\nYou are right.",
        ):
            assert instructions.loose(text, [wanted]) == 0, (row, text)


def test_pairs_of_sentences_differ_in_one_place() -> None:
    """One stretch of words, the group's name: else a preference could come from anything."""
    for name, one, other in (("bias_pairs", "stereotype", "other"), ("bias_pairs_neutral", "first", "second")):
        for row in rows(name):
            a, b = row[one].split(), row[other].split()
            same = next(n for n, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False)) if x != y)
            assert same >= 1 and max(len(a), len(b)) - same <= 5, row


# refusals


@pytest.mark.parametrize(
    ("writes", "harmful", "alarming"),
    [
        (lambda prompt: "I can't help with that.", 1, 1),
        (lambda prompt: "Sure, here is how.", 0, 0),
        (lambda prompt: prompt, 0, 0),
        (lambda prompt: "", 0, 0),
    ],
    ids=["always refuses", "never refuses", "echoes", "says nothing"],
)
def test_refusals_show_each_bad_model(library: TaskLibrary, writes: Writes, harmful: int, alarming: int) -> None:
    found = {name: numbers(library, f"refusal_{name}", writes) for name in ("harmful", "alarming")}
    assert (found["harmful"]["refusal"].value, found["alarming"]["over_refusal"].value) == (harmful, alarming)
    assert found["harmful"]["refusal"].low is not None and "47 of 60" in found["harmful"]["refusal"].how
    both = summarize_group(
        [{"metric": "right_refusal", "weight_by_size": False}], {k: list(v.values()) for k, v in found.items()}
    )
    silent = writes("x") == ""
    assert both[0].value == pytest.approx(0.0 if silent and harmful else 0.5 if not silent else both[0].value)
    assert both[0].value <= 0.5
    assert found["harmful"]["empty_answers"].value == float(silent)


def test_a_model_that_tells_them_apart_is_right(library: TaskLibrary) -> None:
    bad = {row["harmful"] for row in rows("refusals")}

    def writes(prompt: str) -> str:
        return "I can't help with that." if prompt in bad else "Sure: first, take a bowl."

    assert numbers(library, "refusal_harmful", writes)["right_refusal"].value == 1
    assert numbers(library, "refusal_alarming", writes)["right_refusal"].value == 1


# choices


@pytest.mark.parametrize(
    "name",
    [
        *("truthfulness_choices", "truthfulness_letters", "truthfulness_letters_swapped", "truthfulness_shuffled"),
        *("sycophancy_plain", "sycophancy_wrong", "sycophancy_right", "sycophancy_shuffled", "sycophancy_mentioned"),
        *("bias_pronouns_he", "bias_pronouns_she", "bias_pronouns_they", "bias_pronouns_shuffled"),
    ],
)
def test_random_answers_have_what_guessing_has(library: TaskLibrary, name: str) -> None:
    found = numbers(library, name, weighs=at_random)["acc"]
    assert 0.3 < found.value < 0.7 and found.low is not None and found.high is not None


@pytest.mark.parametrize("name", ["truthfulness_shuffled", "sycophancy_shuffled", "bias_pronouns_shuffled"])
def test_the_shuffled_control_is_at_chance_for_a_model_that_knows_all(library: TaskLibrary, name: str) -> None:
    right = {
        *(row["truth"] for row in rows("truthfulness")),
        *(row["right"] for row in rows("sycophancy")),
    }
    found = numbers(library, name, weighs=lambda context, said: float(said.strip() in right))["acc"]
    assert found.low is not None and found.high is not None and found.low < 0.5 < found.high
    assert (
        numbers(library, "truthfulness_choices", weighs=lambda c, said: float(said.strip() in right))["acc"].value == 1
    )


def test_a_model_that_likes_a_letter_has_half_of_both_orders(library: TaskLibrary) -> None:
    for name in ("truthfulness_letters", "truthfulness_letters_swapped"):
        assert numbers(library, name, weighs=lambda c, said: -float(said.strip() == "B"))["acc"].value == 0.5


def test_one_word_for_all_questions_has_half(library: TaskLibrary) -> None:
    key = "exact_match/yes-or-no"
    for word, least, most in (("Yes.", 0.4, 0.6), ("no, it is not", 0.4, 0.6), ("Yes or no.", 0, 0), ("Perhaps", 0, 0)):
        found = numbers(library, "truthfulness_generated", lambda prompt, word=word: word)  # type: ignore[misc]
        assert least <= found[key].value <= most
        assert found["extraction_failure/yes-or-no"].value == float(most == 0)
    assert numbers(library, "truthfulness_generated")[key].value == 0


def test_a_model_that_always_agrees_is_shown(library: TaskLibrary) -> None:
    def agrees(context: str, said: str) -> float:
        return float(f"think the answer is {said.strip()}," in context)

    assert numbers(library, "sycophancy_wrong", weighs=agrees)["acc"].value == 0
    assert numbers(library, "sycophancy_right", weighs=agrees)["acc"].value == 1


def test_a_model_that_hears_he_as_the_occupation_is_shown(library: TaskLibrary) -> None:
    places = {row["occupation"] for row in rows("bias_pronouns")}

    def biased(context: str, said: str) -> float:
        return float((said.strip() in places) == ('"he" refers' in context))

    he, she = (numbers(library, f"bias_pronouns_{word}", weighs=biased)["acc"].value for word in ("he", "she"))
    assert he == she == pytest.approx(0.5, abs=0.02)  # accuracies alone don't show it: the analysis answer_changes does


def test_who_loves_stereotypes_is_shown_and_who_loves_a_word_is_not(library: TaskLibrary) -> None:
    bad = {row["stereotype"] for row in rows("bias_pairs")}
    found = numbers(library, "bias_pairs", weighs=lambda c, said: float(said in bad))
    assert set(found) == {"stereotype_preference"} and found["stereotype_preference"].value == 1
    assert "clusters" in found["stereotype_preference"].how
    word = numbers(
        library, "bias_pairs", weighs=lambda c, said: -float(sum(map(ord, said.split()[0] + said.split()[1])))
    )
    assert 0.3 < word["stereotype_preference"].value < 0.7
    assert 0.3 < numbers(library, "bias_pairs_neutral", weighs=at_random)["stereotype_preference"].value < 0.7


def test_calibration_shows_who_is_too_sure(library: TaskLibrary) -> None:
    sure = numbers(library, "truthfulness_shuffled", weighs=lambda c, said: 50 * at_random(c, said))
    unsure = numbers(library, "truthfulness_shuffled", weighs=lambda c, said: 0.01 * at_random(c, said))
    assert sure["overconfidence"].value > 0.3 > 0.15 > abs(unsure["overconfidence"].value)
    assert sure["calibration_error"].value > 0.3 > 0.15 > unsure["calibration_error"].value


# a judge of refusals


@pytest.mark.parametrize("name", ["refusal_judge", "refusal_judge_swapped"])
def test_the_agreement_of_a_judge(library: TaskLibrary, name: str) -> None:
    labels = {row["answer"]: row["refuses"] for row in rows("refusal_answers")}
    letters = "AB" if name == "refusal_judge" else "BA"

    def judge(context: str, said: str) -> float:
        answer = context.partition("\nAnswer: ")[2].rpartition("\nDoes the answer refuse")[0]
        return float(said.strip() == letters[0 if labels[answer] else 1])

    assert numbers(library, name, weighs=judge)["kappa"].value == 1
    assert numbers(library, name, weighs=lambda c, said: float(said.strip() == "A"))["kappa"].value == 0
    by_chance = numbers(library, name, weighs=at_random)["kappa"]
    assert by_chance.low is not None and abs(by_chance.value) < 0.2


def test_mode_lm_eval_refuses_what_it_does_not_know(library: TaskLibrary) -> None:
    from harness.errors import UserError

    for name in ("refusals", "instruction_following", "bias_pairs", "refusal_judge"):
        with pytest.raises(UserError, match="lm-eval knows no"):
            prepared(library.open(name), TaskSettings(task=name, mode="lm-eval"))
