"""Microworld's alignment data: the same everywhere, apart in the splits, and a reward that can be wrong."""

from __future__ import annotations

import hashlib

import pytest

from reference_impl.alignment.data import microworld
from reference_impl.alignment.data.reading import why_unusable
from reference_impl.alignment.data.rows import Prompt
from reference_impl.text.microworld.draw import SPLITS, Split


def test_the_same_rows_everywhere() -> None:
    rows = [*microworld.preferences(count=20), *microworld.sums("test", count=20), *microworld.shown_sums(count=9)]
    told = hashlib.sha256(repr(rows).encode()).hexdigest()
    assert told[:16] == "764efdd74e289e27"
    assert microworld.preferences(count=20) != microworld.preferences(seed=1, count=20)
    assert microworld.sums(count=40) != microworld.sums(seed=1, count=40)


@pytest.mark.parametrize("split", SPLITS)
def test_every_row_can_be_learned_from(split: Split) -> None:
    pairs, shown = microworld.preferences(split, count=50), microworld.demonstrations(split, count=50)
    assert [(one.prompt, one.chosen) for one in pairs] == [(one.prompt, one.response) for one in shown]
    rows = [*pairs, *shown, *microworld.sums(split), *microworld.shown_sums(split, steps=True)]
    assert not any(map(why_unusable, rows))


def test_splits_share_no_prompt() -> None:
    asked = [{row.prompt for row in microworld.sums(split)} for split in SPLITS]
    assert not (asked[0] & asked[1] or asked[0] & asked[2] or asked[1] & asked[2])


@pytest.mark.parametrize("steps", [False, True])
def test_right_answers_are_rewarded_and_no_others(steps: bool) -> None:
    prompts, shown = microworld.sums(steps=steps, count=60), microworld.shown_sums(steps=steps, count=60)
    assert len(prompts) == 60
    assert [row.prompt for row in shown] == [row.prompt for row in prompts]
    assert all(microworld.reward(prompt, row.response) == 1.0 for prompt, row in zip(prompts, shown, strict=True))
    wrong = [microworld.reward(prompt, row.response) for prompt, row in zip(prompts, shown[1:], strict=False)]
    assert sum(wrong) < 5  # some sums are equal


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        (" 12.", 1.0), ("7 + 5 = 12, write 12; so 7 + 5 = 12.", 1.0), ("012", 1.0),
        (" It is 12\nQ: What is 1 + 1?", 1.0),
        (" 12 or 13.", 0.0), ("1 2.", 0.0), ("", 0.0), ("twelve", 0.0), ("-12", 0.0), ("\n\n 12", 1.0), ("13\n12", 0.0),
    ],
)  # fmt: skip
def test_the_last_number_of_the_first_line_counts(text: str, reward: float) -> None:
    assert microworld.reward(Prompt("Q: What is 7 + 5?\nA:", "12"), text) == reward


@pytest.mark.parametrize(
    ("answer", "text", "reward"),
    [
        ("So 2 + 2 = 4.\n#### 1,072", "It is 1072.", 1.0),
        ("1072", "1,072", 1.0),
        ("3.5", "It is 3.5.", 1.0),
        ("3.5", "5", 0.0),
        ("-5", "-5", 1.0),
        ("5", "10-5", 1.0),
        ("2", "1,2", 1.0),
        ("3", "3.0", 1.0),
    ],
)
def test_numbers_as_people_write_them(answer: str, text: str, reward: float) -> None:
    assert microworld.reward(Prompt("q", answer), text) == reward


def test_what_cannot_be_judged_or_drawn() -> None:
    with pytest.raises(ValueError, match="f:3: there is no number in its answer"):
        microworld.reward(Prompt("a", place="f:3"), "1")
    for count in (0, 2001):
        with pytest.raises(ValueError, match="1 to 2,000 sums for its split 'test'"):
            microworld.sums("test", count=count)
    with pytest.raises(ValueError, match="no split 'dev'"):
        microworld.sums("dev")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 7, 400, 2000])
def test_as_many_as_were_asked_for(count: int) -> None:
    assert len(microworld.sums("test", count=count)) == count
