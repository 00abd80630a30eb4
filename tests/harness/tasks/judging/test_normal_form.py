"""The one form in which answers are compared: what is the same answer, what isn't, and that nothing else decides."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.judging.normal_form import comparable, normal_form
from harness.tasks.judging.text_scores import edit_similarity, is_match, word_f1

CASE, MARKS, DIGITS = {"ignore_case": True}, {"ignore_punctuation": True}, {"ignore_numbers": True}
NUMBERS = {"numbers": True}

SAME: list[tuple[str, str, dict[str, Any]]] = [
    (" Paris", "Paris", {}),
    ("Paris\n", "Paris", {}),
    ("\tParis \r\n", " Paris", {}),
    ("\u00a0Paris\u3000", "Paris", {}),
    ("\ufeffParis", "Paris", {}),
    ("Paris\u200b", "Paris", {}),
    ("\u200e Paris \u200f", "Paris", {}),
    ("cafe\u0301", "caf\u00e9", {}),
    ("\u1112\u1161\u11ab", "\ud55c", {}),
    ("one\r\ntwo\rthree", "one\ntwo\nthree", {}),
    ("STRASSE", "stra\u00dfe", CASE),
    ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2", CASE),
    ("CAFE\u0301", "caf\u00e9", CASE),
    ("\u201cParis.\u201d", "Paris", MARKS),
    ("\u5317\u4eac\u3002", "\u5317\u4eac", MARKS),
    ("\u00bfQu\u00e9?", "Qu\u00e9", MARKS),
    ("Paris \u2014", "Paris", MARKS),
    ("well - known", "well known", MARKS),
    ("$5", "5", MARKS),
    ("room 12", "room", DIGITS),
    ("room \u0661\u0662", "room", DIGITS),
    ("The answer, 12!", "the answer", {**CASE, **MARKS, **DIGITS}),
    ("$1,200", "1200", {"regexes_to_ignore": [",", r"\$"]}),
    (" 72.", "72", {"regexes_to_ignore": [r"\.$"]}),
    ("the cat", "cat", {"regexes_to_ignore": r"\bthe\b"}),
    ("caf\u00e9 noir", "noir", {"regexes_to_ignore": ["cafe\u0301"]}),
    ("72.00", "72", NUMBERS),
    ("$1,234.50", "1234.5", NUMBERS),
    ("\u22125", "-5", NUMBERS),
    ("007", "7", NUMBERS),
    ("so #### 72.0", "72", {**NUMBERS, "regexes_to_ignore": ["(?s).*#### "]}),
    (" Paris", "Paris", NUMBERS),
]
DIFFERENT: list[tuple[str, str, dict[str, Any]]] = [
    ("a", "A", {}),
    ("Paris.", "Paris", {}),
    ("New York", "NewYork", {}),
    ("a  b", "a b", {}),
    ("    return 1", "return\n1", {}),
    ("007", "7", {}),
    ("72.0", "72", {}),
    ("1,000", "1000", {}),
    ("resume", "r\u00e9sum\u00e9", {**CASE, **MARKS}),
    ("5 \u20ac", "5", MARKS),
    ("?", "!", MARKS),
    ("", "?", MARKS),
    ("", "12", DIGITS),
    ("", "the", {"regexes_to_ignore": ["the"]}),
    ("71.5", "72", NUMBERS),
    ("0.333", "1/3", NUMBERS),
    ("-5", "5", NUMBERS),
    ("1,5", "1.5", NUMBERS),
    ("seven", "7", NUMBERS),
]


def verdict(one: str, other: str, ignored: dict[str, Any]) -> bool:
    return is_match(one, [other], ignored)


@pytest.mark.parametrize(("one", "other", "ignored"), SAME)
def test_the_same_answer(one: str, other: str, ignored: dict[str, Any]) -> None:
    assert verdict(one, other, ignored) and verdict(other, one, ignored)


@pytest.mark.parametrize(("one", "other", "ignored"), DIFFERENT)
def test_another_answer(one: str, other: str, ignored: dict[str, Any]) -> None:
    assert not verdict(one, other, ignored) and not verdict(other, one, ignored)


@pytest.mark.parametrize(
    ("comparer", "fails"),
    [
        (lambda one, other, ignored: one == other, SAME),
        (lambda one, other, ignored: one.strip() == other.strip(), SAME),
        (lambda one, other, ignored: is_match(one, [other], ignored, "lm-eval"), SAME),
        (lambda one, other, ignored: is_match(one, [other], {**ignored, "numbers": True}), DIFFERENT),
        (lambda one, other, ignored: is_match(one, [other], {**ignored, "ignore_punctuation": True}), DIFFERENT),
        (lambda one, other, ignored: unicodedata.normalize("NFKD", one)[:1] == other[:1], DIFFERENT),
    ],
    ids=["raw", "stripped alone", "lm-eval", "numbers everywhere", "punctuation everywhere", "first letter"],
)
def test_worse_comparers_fail_the_tables(
    comparer: Callable[[str, str, dict[str, Any]], bool], fails: list[tuple[str, str, dict[str, Any]]]
) -> None:
    wanted = fails is SAME
    assert any(comparer(*case) is not wanted for case in fails)


@pytest.mark.parametrize(
    ("text", "ignored", "left"),
    [
        (" A. \u201cB\u201d\n", {}, " A. \u201cB\u201d\n"),
        (" A. \u201cB\u201d\n", {**CASE, **MARKS}, " a \u201cb\u201d\n"),
        ("\u0661 2", DIGITS, "\u0661 "),
        ("e\u0301", CASE, "e\u0301"),
        ("a.b.", {"regexes_to_ignore": [r"\.$"]}, "a.b"),
        ("?", MARKS, ""),
        ("\u0130x", CASE, "i\u0307"),  # numpy cuts what grew
    ],
)
def test_mode_lm_eval_takes_characters_as_they_stand(text: str, ignored: dict[str, Any], left: str) -> None:
    assert normal_form(text, "lm-eval", ignored) == left


def test_values_that_are_no_text() -> None:
    assert comparable(8.0) == comparable("8") == comparable(8)
    assert comparable(8.5) == comparable("8.5")
    assert comparable(8.0, "lm-eval") == "8.0"
    assert comparable(["a ", " b"]) == comparable(("a", "b"))
    assert comparable(None) is None


options = st.fixed_dictionaries(
    {name: st.booleans() for name in ("ignore_case", "ignore_punctuation", "ignore_numbers")}
)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
spaces = st.text(" \t\n\r\u00a0\u3000\u200b\ufeff", max_size=3)


@given(texts, options)
def test_the_normal_form_of_a_normal_form_is_itself(text: str, ignored: dict[str, Any]) -> None:
    once = normal_form(text, "right", ignored)
    assert normal_form(once, "right", ignored) == once


@given(texts, texts, options, st.booleans(), spaces, spaces, st.sampled_from(["NFC", "NFD"]))
def test_no_score_depends_on_space_around_or_composed_accents(
    answer: str, target: str, ignored: dict[str, Any], numbers: bool, before: str, after: str, form: Any
) -> None:
    dressed = before + unicodedata.normalize(form, answer) + after
    judged = {**ignored, "numbers": numbers}
    assert (
        is_match(dressed, [target], judged) == is_match(answer, [target], judged) == is_match(target, [dressed], judged)
    )
    assert edit_similarity(dressed, [target], ignored) == edit_similarity(answer, [target], ignored)
    assert word_f1(dressed, [target]) == word_f1(answer, [target])
    assert is_match(dressed, [answer], judged)


def test_a_number_is_found_below_the_punctuation_that_a_task_ignores() -> None:
    ignored = {"numbers": True, "ignore_punctuation": True}
    for said in ("(5)", '"5"', "5.", "5.0", "[5]"):
        assert comparable(said, "right", ignored) == comparable("5", "right", ignored)
    assert comparable("3.5", "right", ignored) != comparable("35", "right", ignored)
