"""A text parted into thought and answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.thinking import Parted, answer_so_far, opens_thought, parted, thought_first

TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


@pytest.mark.parametrize(
    ("text", "opened", "answer", "thought"),
    [
        ("The answer is 5", False, "The answer is 5", None),
        (" \n5\n", False, " \n5\n", None),
        ("<think> 3\n\nso 5</think>\n\nThe answer is 5", False, "The answer is 5", "3\n\nso 5"),
        ("\n<think>3</think>5 ", False, "5 ", "3"),
        ("3 apples</think>5", True, "5", "3 apples"),
        ("3 apples</think>5", False, "5", "3 apples"),
        ("3 apples, so", True, None, "3 apples, so"),
        ("<think>3 apples, so", False, None, "3 apples, so"),
        ("<think></think>5", False, "5", ""),
        ("<think>a</think> <think>b</think> 5", False, "5", "a\nb"),
        ("Well. <think>a</think> 5", False, "Well.  5", "a"),
        ("5 <think>b", False, None, "b"),
        ("<think>a [/THINK] b</think>5", False, "5", "a [/THINK] b"),
        ("[THINK]a</think>b[/THINK]5", False, "5", "a</think>b"),
        ("a[/THINK]5", True, "5", "a"),
        ("", True, None, ""),
        ("", False, "", None),
    ],
)
def test_parts(text: str, opened: bool, answer: str | None, thought: str | None) -> None:
    assert parted(text, TAGS, opened) == Parted(answer, thought)


@pytest.mark.parametrize(
    ("text", "opened", "answer", "thought"),
    [
        (" \n5\n", False, " \n5\n", None),
        ("\n<think>3</think>\n[THINK]4[/THINK] 5 ", False, "5 ", "3\n4"),
        ("3 apples</think>5", True, "5", "3 apples"),
        ("3 apples</think>5", False, "3 apples</think>5", None),
        ("<think>3 apples, so", False, None, "3 apples, so"),
        ("Well. <think>a</think> 5", False, "Well. <think>a</think> 5", None),
        ("<think>a</think>5 <think>b", False, "5 <think>b", "a"),
        ("\ud800\ud801<think>a</think>5", False, "5", "a"),
        ("", False, "", None),
    ],
)
def test_parts_of_what_is_shown_as_it_comes(text: str, opened: bool, answer: str | None, thought: str | None) -> None:
    assert thought_first(text, TAGS, opened) == Parted(answer, thought)


@given(st.text("<think>/[] 5\n", max_size=20))
def test_without_tags_all_is_answer(text: str) -> None:
    assert parted(text, ()) == Parted(text, None)
    assert answer_so_far(text, ()) == text


@given(st.text("ab5\n .", max_size=12), st.text("ab5\n .", max_size=12))
def test_what_stands_after_a_thought_is_the_answer(thought: str, answer: str) -> None:
    for text, opened in ((f"<think>{thought}</think>{answer}", False), (f"{thought}</think>{answer}", True)):
        assert parted(text, TAGS, opened) == Parted(answer.lstrip(), thought.strip())


@pytest.mark.parametrize("begun", ["", "\n", "<", "<thi", " [THINK", "<think>", "<think>5.", "\n<think>5. "])
def test_no_answer_yet(begun: str) -> None:
    assert answer_so_far(begun, TAGS) is None


def test_an_answer_so_far() -> None:
    assert answer_so_far("\n<b", TAGS) == "\n<b"
    assert answer_so_far("<think>5.</think>", TAGS) == ""
    assert answer_so_far("x</think> 6", TAGS, opened=True) == "6"
    assert answer_so_far("x", TAGS, opened=True) is None


def test_a_prompt_that_opens_a_thought() -> None:
    assert opens_thought("<|assistant|>\n<think>\n", TAGS)
    assert not opens_thought("<think>\n\n</think>\n\n", TAGS)
    assert opens_thought("q<think>\nOkay a", TAGS), "with words after the tag"
    assert opens_thought("<think>a</think>b<think>\nOkay", TAGS)
    assert not opens_thought("<think>a</think>b [THINK]c[/THINK] d", TAGS)
    assert not opens_thought("What does <think> mean?<|end|>\n<|assistant|>", TAGS, ("<|end|>",)), "in a turn before"
    assert opens_thought("q<|end|>\n<|assistant|><think>\nOkay", TAGS, ("<|end|>",))
    assert not opens_thought("<think>", ())
