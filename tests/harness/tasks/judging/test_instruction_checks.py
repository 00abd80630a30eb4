"""Each check of an instruction: answers that pass it, answers that fail it, and answers that try to slip through."""

import json
from typing import Any

import pytest

from harness.tasks.judging.rules import instructions
from harness.tasks.judging.rules.instruction_checks import CHECKS

CASES: list[tuple[str, Any, list[str], list[str]]] = [
    ("words_at_least", 3, ["one two three", "it's well-known here"], ["one two", "- - - -", "a-b-c d"]),
    ("words_at_most", 2, ["one two", "one"], ["one two three"]),
    ("words_exactly", 2, ["one two", "one, two!"], ["one", "one two three"]),
    ("sentences_at_most", 1, ["One.", "one without an end"], ["One. Two.", "One! two"]),
    (
        "sentences_exactly",
        2,
        ["One. Two.", 'He said "no." Then he left', "What?! Yes..."],
        ["One.", "3.5 is a number."],
    ),
    ("lines_exactly", 2, ["a\nb", "a\n\n b \n"], ["a", "a\nb\nc"]),
    ("paragraphs_exactly", 2, ["a\n\nb", "a\n \nb\nc"], ["a\nb", "a\n\nb\n\nc"]),
    ("bullets_exactly", 2, ["- a\n- b", "* a\n* b\nend", "• a\n• b"], ["- a", "-a\n-b", "- a\n- b\n- c", "-\n-"]),
    ("numbered_exactly", 2, ["1. a\n2. b", "1) a\n2) b"], ["1. a", "1. a\n3. b", "2. a\n1. b", "1. a\n2. b\n3. c"]),
    (
        "json_object",
        ["a"],
        ['{"a": 1}', '```json\n{"a": null}\n```'],
        ["{}", '{"a": 1, "b": 2}', "{'a': 1}", 'Here: {"a": 1}', "[" * 100_000, '{"a": NaN}', '["a"]'],
    ),
    ("json_list", 2, ["[1, 2]", '```\n["a", "b"]\n```'], ["[1]", '{"a": 1, "b": 2}', "1, 2", "[1, 2"]),
    ("upper_case", True, ["ROME!", "ÉTÉ 1"], ["Rome", "123", "ROMe"]),
    ("lower_case", True, ["rome!", "straße"], ["Rome", "123"]),
    ("includes", ["sun", "red car"], ["The SUN, a red car."], ["sunny red car", "sun red", "a car, red, and sun"]),
    ("includes_one", ["sun", "moon"], ["the moon"], ["sunny moonlight", "!"]),
    ("leaves_out", ["cold"], ["scolded", "warm"], ["Cold.", "it is COLD"]),
    ("in_order", ["sun", "moon"], ["sun, moon", "Sun and moon and sun"], ["moon, sun", "sun", "sunmoon"]),
    ("starts_with", "No", ["No, sir", " No"], ["no", "Well, No"]),
    ("ends_with", "!", ["Hi!", "Hi! \n"], ["Hi", "!Hi"]),
    ("without", ["e", ","], ["sky high"], ["tree", "TREE", "a, b"]),
    ("times", ["river", 2], ["River, river.", "rivers river river"], ["river", "river river river"]),
    ("lines_start_with", "I see", ["I see a\nI see b", "I see a\n\nI see b"], ["I see a\nYou see b", "i see"]),
    ("one_of", ["yes", "no"], ["Yes.", "no", " NO! "], ["yes or no", "yes, it is", "maybe"]),
    ("number", True, ["42", " -3.5 "], ["42.", "4 2", "forty-two", "42 apples"]),
    (
        "language",
        "German",
        ["Das Gras ist grün und die Erde ist nicht blau."],
        ["The grass is green and the sky is blue.", "L'herbe est verte et le ciel est bleu.", "Gras grün Himmel blau"],
    ),
    ("ascii_letters", True, ["abc 1!"], ["café"]),
]


@pytest.mark.parametrize(("name", "wanted", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_each_check(name: str, wanted: Any, good: list[str], bad: list[str]) -> None:
    checks = [(name, wanted)]
    assert [text for text in good if not all(instructions.followed(text, checks))] == []
    assert [text for text in bad if all(instructions.followed(text, checks))] == []
    assert instructions.followed("", checks) == instructions.followed(" \n", checks) == [False]


def test_every_check_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(CHECKS)


@pytest.mark.parametrize("language", ["English", "French", "Spanish", "Italian"])
def test_languages_are_told_apart(language: str) -> None:
    said = {
        "English": "The train is late and the people are waiting for it with their bags.",
        "French": "Le train est en retard et les gens attendent sur le quai avec des sacs.",
        "Spanish": "El tren llega tarde y la gente espera en el andén con sus maletas por la noche.",
        "Italian": "Il treno è in ritardo e la gente aspetta con le valigie per andare al mare.",
    }
    right = {name: instructions.followed(text, [("language", language)])[0] for name, text in said.items()}
    assert right == {name: name == language for name in said}


def target(*checks: dict[str, Any]) -> list[str]:
    return [json.dumps(list(checks))]


def test_strict_wants_all_and_the_share_counts() -> None:
    wanted = target({"upper_case": True}, {"words_exactly": 2})
    assert (instructions.strict("TWO WORDS", wanted), instructions.share("TWO WORDS", wanted)) == (1, 1)
    assert (instructions.strict("TWO MORE WORDS", wanted), instructions.share("TWO MORE WORDS", wanted)) == (0, 0.5)
    assert (instructions.strict("", wanted), instructions.loose("", wanted), instructions.share("", wanted)) == (
        0,
        0,
        0,
    )


@pytest.mark.parametrize(
    "text", ["Sure, here it is:\nTWO WORDS", "TWO WORDS\nHope this helps!", "**TWO WORDS**", "a\n**TWO WORDS**\nb"]
)
def test_loose_forgives_what_stands_around(text: str) -> None:
    wanted = target({"upper_case": True}, {"words_exactly": 2}, {"starts_with": "T"})
    assert (instructions.strict(text, wanted), instructions.loose(text, wanted)) == (0, 1)


def test_loose_forgives_no_more() -> None:
    assert instructions.loose("a\nb\nTWO WORDS", target({"words_exactly": 2}, {"upper_case": True})) == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "list of checks"),
        ("[]", "list of checks"),
        ("[1]", "list of checks"),
        ('{"words_exactly": 2}', "list of checks"),
        ('[{"word_exactly": 2}]', "words_exactly"),
        ('[{"words_exactly": "two"}]', None),
        ('[{"words_at_least": "two"}]', "can't be told 'two'"),
        ('[{"times": []}]', "can't be told"),
        ('[{"language": "Klingon"}]', "no language 'Klingon'"),
    ],
)
def test_checks_that_cannot_be_read_are_told(written: str, said: str | None) -> None:
    if said is None:
        assert instructions.strict("a b", [written]) == 0
        return
    with pytest.raises(ValueError, match=said):
        instructions.strict("a b", [written])
