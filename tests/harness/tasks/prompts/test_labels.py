"""Labels: an index or a choice's text, counted from 0 or 1, and refused where they are ambiguous."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tasks.prompts import labels

LETTERS = ["A", "B", "C"]


@pytest.mark.parametrize(
    ("label", "choices", "first", "expected"),
    [
        (0, LETTERS, 0, 0),
        (1, LETTERS, 1, 0),
        (3, LETTERS, 1, 2),
        ("1", LETTERS, 0, 1),  # digits that are no choice
        ("1", LETTERS, 1, 0),
        ("B", LETTERS, 0, 1),
        (1.0, LETTERS, 0, 1),  # a whole number that a hole in its column made a float
        (Decimal("1"), LETTERS, 0, 1),
        (True, ["no", "yes"], 0, 1),
        (False, ["no", "yes"], 0, 0),
        ("1", ["0", "1"], 0, 1),  # both readings agree
        ("2", ["1", "2"], 1, 1),
        ("12", ["9", "12"], 0, 1),  # no index: there aren't so many choices
        (1, ["1", "2"], 0, 1),  # a whole number is an index, whatever the choices are
        (7, LETTERS, 0, 7),  # neither: stays what it is
        ("", LETTERS, 0, ""),
        (" 1", LETTERS, 0, 1),
        ("  ", [" ", "B"], 0, "  "),  # nothing is no choice's normal form
        (" B\n", LETTERS, 0, 1),
        ("B", [" A", " B"], 0, 1),
        ("cafe\u0301", ["th\u00e9", "caf\u00e9"], 0, 1),
        ("b", LETTERS, 0, "b"),
        ("yes", [" yes", "yes"], 0, 1),  # the same text before the same normal form
        ("-1", LETTERS, 0, "-1"),
        (None, LETTERS, 0, None),
        (1.5, LETTERS, 0, 1.5),
        ("²", LETTERS, 0, "²"),
    ],
)
def test_what_a_label_means(label: Any, choices: list[str], first: int, expected: Any) -> None:
    found = labels.index(label, choices, labels.Labels(first))
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("label", "choices", "first"),
    [
        ("1", ["1", "2"], 0),
        ("0", ["1", "0"], 0),
        ("1", ["2", "1"], 1),
        (" 1", ["1", "2"], 0),
        (1.0, ["1.0", "2.0"], 0),
        (True, ["True", "False"], 0),
        (True, ["true", "false"], 0),
    ],
)
def test_a_label_with_two_meanings_is_refused(label: Any, choices: list[str], first: int) -> None:
    with pytest.raises(UserError, match=r"is ambiguous: as a text it is choice \d, as an index choice \d.*COLUMN\|int"):
        labels.index(label, choices, labels.Labels(first))


def common(*labeled: Any, choices: list[str] | None = None) -> labels.Labels:
    return labels.common([(f"document {n}", label, choices or LETTERS) for n, label in enumerate(labeled)])


@pytest.mark.parametrize(
    ("labeled", "first"),
    [
        ([1, 2, 3], 1),
        (["1", "2", "3"], 1),
        (["3", "", "1"], 1),  # a blank one says nothing
        ([1.0, None, 3.0], 1),
        ([[1, 2], [3]], 1),  # several right ones
        ([1, 2], 0),  # none is the number of choices
        ([0, 3], 0),  # one of them is wrong, and is told where it stands
        ([1, 2, 4], 0),
        (["A", "C"], 0),
        ([True, True], 0),
        ([], 0),
    ],
)
def test_labels_that_count_from_1_are_recognized(labeled: list[Any], first: int) -> None:
    assert common(*labeled)[0] == first and common(*labeled).ambiguous is None


def test_the_number_of_choices_is_each_documents_own() -> None:
    assert labels.common([("a", 2, ["x", "y"]), ("b", 2, ["x", "y", "z"])]).first == 1
    assert labels.common([("a", 2, ["x", "y", "z"]), ("b", 3, ["x", "y", "z", "w"])]).first == 0


def test_one_ambiguous_label_refuses_the_split_and_is_named() -> None:
    found = labels.common([("document 0", "0", LETTERS), ("document 1", "1", ["1", "2"])])
    assert found.first == 0 and (found.ambiguous or "").startswith("document 1: the right answer '1' is ambiguous")
    agreed = common("1", "2", "3", choices=["1", "2", "3"])  # from 1 both readings agree
    assert agreed.first == 1 and agreed.ambiguous is None and not agreed.noteworthy
    assert common("1", "2", choices=["1", "2", "3"]).ambiguous is not None


@pytest.mark.parametrize(
    ("labeled", "choices", "ambiguous"),
    [
        ([3, 5, 7], ["3", "5", "7", "9"], True),  # 3 alone would be an index
        ([3.0, 5.0], ["3", "5", "7", "9"], True),
        ([[3, 5]], ["3", "5", "7", "9"], True),
        ([0, 3], ["0", "2", "3"], True),  # the 0 says nothing, both readings agree
        ([2, 4, 6], ["2", "4", "6"], True),
        ([1, 2, 3], ["1", "2", "3"], False),  # from 1 both readings agree
        ([0, 1, 2], ["1", "2", "0"], False),  # all are indexes
        ([1, 3], ["3", "5", "7", "9"], False),
        ([7, 1], LETTERS, False),  # 7 is nothing: its row is broken
    ],
)
def test_whole_numbers_of_which_one_is_no_index_but_a_choice(
    labeled: list[Any], choices: list[str], ambiguous: bool
) -> None:
    told = common(*labeled, choices=choices).ambiguous
    assert (told is not None) is ambiguous
    assert told is None or "may all be values; if so, with COLUMN" in told


@pytest.mark.parametrize("swapped", [False, True])
def test_a_0_that_is_no_choice_says_that_whole_numbers_are_indexes(swapped: bool) -> None:
    rows: list[Any] = [("document 0", 0, LETTERS), ("document 1", 5, ["5", "6"])]
    assert labels.common(rows[::-1] if swapped else rows) == labels.FROM_0


def test_digits_among_words_are_words() -> None:
    """As in ARC, where few questions have choices 1 to 4 and all others A to D."""
    digits = ["1", "2", "3", "4"]
    found = labels.common([("document 0", "A", LETTERS), ("document 1", "2", digits), ("document 2", "4", digits)])
    assert found == labels.Labels(are_texts=True)
    assert [labels.index(label, digits, found) for label in ("2", "4")] == [1, 3]


@given(st.lists(st.integers(0, 3), min_size=1), st.booleans())
def test_a_shift_of_all_labels_changes_no_answer(places: list[int], as_text: bool) -> None:
    choices = ["a", "b", "c", "d"]
    places = [*places, 0, 3]  # so that the first and the last choice are right somewhere
    for first in (0, 1):
        told: list[Any] = [str(place + first) if as_text else place + first for place in places]
        found = common(*told, choices=choices)
        assert (found.first, found.ambiguous, found.noteworthy) == (first, None, first == 1)
        assert [labels.index(label, choices, found) for label in told] == places


@pytest.mark.parametrize(
    ("label", "expected"),
    [(2.0, 2), (2.5, None), (float("inf"), None), (float("nan"), None), (True, None), ("02", 2), ("2.0", None)]
    + [
        (Decimal(of), number)
        for of, number in (("2", 2), ("2.00", 2), ("2.5", None), ("sNaN", None), ("-Infinity", None))
    ]
    + [(Decimal("1e3999"), 10**3999)],
)
def test_which_labels_are_whole_numbers(label: Any, expected: int | None) -> None:
    assert labels.whole_number(label) == expected
