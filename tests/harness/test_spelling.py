"""The nearest spelling, in the two ways that a sentence names it."""

import pytest

from harness.spelling import nearest, nearest_aside, nearest_word


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
