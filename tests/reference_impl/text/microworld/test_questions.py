"""Evaluation sets: well formed, enough of each, and not to be guessed from the form."""

from collections import Counter
from dataclasses import replace

import pytest

from reference_impl.text import microworld
from reference_impl.text.microworld import Question
from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.question import collected

BY_CHOICE = {
    "facts": 4,
    "analogies": 4,
    "kinship": 4,
    "pronouns": 2,
    "agreement": 2,
    "colours": 4,
    "mappings": 4,
    "instructions": 2,
    "stories": 4,
}
GENERATED = ("addition", "word_problems", "code")


def test_every_theme_has_enough_questions(test_sets: dict[str, list[Question]]) -> None:
    assert tuple(test_sets) == microworld.THEMES
    assert set(test_sets) == {*BY_CHOICE, *GENERATED}
    for theme, questions in test_sets.items():
        assert len(questions) >= 390
        assert {question.theme for question in questions} == {theme}
        assert len({question.prompt for question in questions}) == len(questions)


@pytest.mark.parametrize(("theme", "choices"), BY_CHOICE.items())
def test_choices_and_chance(test_sets: dict[str, list[Question]], theme: str, choices: int) -> None:
    for question in test_sets[theme]:
        assert len(question.choices) == choices
        assert question.chance == 1 / choices
        assert question.choices[question.gold] == question.target == question.answer


@pytest.mark.parametrize("theme", GENERATED)
def test_generated_answers_have_no_choices(test_sets: dict[str, list[Question]], theme: str) -> None:
    for question in test_sets[theme]:
        assert question.choices == () and question.chance == 0
        assert question.answer in question.target and question.until not in question.target


@pytest.mark.parametrize(("theme", "choices"), BY_CHOICE.items())
def test_always_taking_the_same_position_scores_at_chance(
    test_sets: dict[str, list[Question]], theme: str, choices: int
) -> None:
    questions = test_sets[theme]
    for count in Counter(question.gold for question in questions).values():
        assert abs(count / len(questions) - 1 / choices) < 0.1  # 4 standard errors of 400 fair draws


def test_pronouns_give_nothing_away_by_position(test_sets: dict[str, list[Question]]) -> None:
    first = 0
    for question in test_sets["pronouns"]:
        nouns = [choice.rstrip(".") for choice in question.choices]
        scene = question.prompt.split(". ", 1)[0]
        first += min(nouns, key=lambda noun, scene=scene: scene.find(" " + noun)) + "." == question.target  # type: ignore[misc]
    assert abs(first / len(test_sets["pronouns"]) - 0.5) < 0.1


def test_levels_and_reasoning(test_sets: dict[str, list[Question]]) -> None:
    for theme in ("addition", "word_problems"):
        grades = Counter((question.level, question.reasoning) for question in test_sets[theme])
        assert set(grades) == {(level, how) for level in (1, 2, 3, 4) for how in ("direct", "steps")}
    assert {question.level for question in test_sets["agreement"]} == {1, 2, 3, 4}
    for theme in ("facts", "kinship", "mappings", "code", "stories"):
        assert {question.level for question in test_sets[theme]} == {1, 2, 3}


def test_prompts_join_their_continuation_cleanly(test_sets: dict[str, list[Question]]) -> None:
    for questions in test_sets.values():
        for question in questions:
            assert question.prompt == question.prompt.rstrip()
            assert question.joint in (" ", "\n")
            assert question.text == question.prompt + question.joint + question.target


def test_a_question_without_its_answer_among_the_choices_is_refused(test_sets: dict[str, list[Question]]) -> None:
    question = test_sets["facts"][0]
    with pytest.raises(ValueError, match="hold its target"):
        replace(question, choices=("a.", "b."))
    with pytest.raises(ValueError, match="must differ"):
        replace(question, choices=(question.target, question.target))


def test_asking_for_more_than_there_is_ends_with_an_error() -> None:
    with pytest.raises(ValueError, match="hardly more than 1 different"):
        collected(Draw("x", "test"), 2, lambda draw, index: Question("x", "the same", "y", "y"))


def test_preferences_differ_and_name_their_fault() -> None:
    pairs = microworld.preferences("train", count=400)
    assert len({pair.prompt for pair in pairs}) == 400
    assert all(pair.chosen != pair.rejected for pair in pairs)
    faults = Counter(pair.fault for pair in pairs)
    assert set(faults) == {"wrong", "verbose", "off the topic", "rude", "timid", "harmful"}
