"""The nearest spelling, in the two ways that a sentence names it."""

import pytest

from harness.spelling import nearest, nearest_aside, nearest_word, nearest_words


def test_the_nearest_word_is_named() -> None:
    assert nearest_word("precison", ["perplexity", "precision"]) == "precision"
    assert nearest("precison", ["precision"]) == "; did you mean 'precision'?"
    assert nearest_aside("precison", ["precision"]) == " (did you mean 'precision'?)"


@pytest.mark.parametrize(
    ("word", "allowed"),
    [("x", ["precision"]), ("x", []), ("fp32", ["fp32"]), ("a" * 1000, ["a" * 999])],
    ids=["far", "nothing", "the same", "long"],
)
def test_nothing_is_said_where_nothing_helps(word: str, allowed: list[str]) -> None:
    assert nearest_word(word, allowed) is None and nearest(word, allowed) == nearest_aside(word, allowed) == ""


def test_the_nearest_words_are_near_or_have_the_word_in_them() -> None:
    known = ["arc_easy", "arc_challenge", "mmlu_college_biology", "mmlu_high_school_biology", "piqa"]
    assert nearest_words("biology", known) == ["mmlu_college_biology", "mmlu_high_school_biology"]
    assert nearest_words("arc_esay", known)[0] == "arc_easy"
    assert nearest_words("zzz", known) == [] == nearest_words("a" * 1000, known)
    assert len(nearest_words("mmlu", [f"mmlu_{number}" for number in range(50)])) == 5


def test_a_word_in_other_letters_is_the_nearest() -> None:
    assert nearest_word("MODELS", ["model", "models"]) == "models"
    assert nearest_word("models", ["models", "Models"]) is None, "nothing is wrong with it"
