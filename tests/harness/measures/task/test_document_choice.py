"""Which documents are asked."""

from __future__ import annotations

import pytest

from harness.errors import UserError
from harness.measures.task.document_choice import chosen, numbers


@pytest.mark.parametrize(
    ("text", "places"),
    [("3", (3,)), ("3,7, 12", (3, 7, 12)), ("7-9", (7, 8, 9)), ("9, 1-2 ,2", (1, 2, 9)), (" 0 - 1 ", (0, 1))],
)
def test_numbers_and_ranges(text: str, places: tuple[int, ...]) -> None:
    assert chosen(99, None, text, "right", "task") == list(places)


def test_a_range_without_end_is_compared_before_it_is_counted_out() -> None:
    assert numbers("0-99999999999") == (range(100_000_000_000),)
    with pytest.raises(UserError, match="no document 99999999999: the task has 10"):
        chosen(10, None, "0-99999999999", "right", "task")
    with pytest.raises(ValueError, match="…` is not a list of documents"):
        numbers("1" * 5000)


@pytest.mark.parametrize("text", ["", "a", "1,,2", "3-1", "-1", "1.5", "1-2-3", "[1]"])
def test_what_is_no_list_of_documents(text: str) -> None:
    with pytest.raises(ValueError, match="3, 7, 10-19"):
        numbers(text)


@pytest.mark.parametrize(
    ("size", "count", "right", "lm_eval"),
    [
        (10, None, list(range(10)), list(range(10))),
        (10, 4, [0, 2, 5, 7], [0, 1, 2, 3]),
        (10, 99, list(range(10)), list(range(10))),
        (14, 0.1, [0, 7], [0, 1]),
        (10, 0.1, [0], [0]),
        (30, 0.1, [0, 10, 20], [0, 1, 2]),
        (1, 0.001, [0], [0]),
        (100, 0.07, [0, 14, 28, 42, 57, 71, 85], list(range(8))),
        (10, 0.99, list(range(10)), list(range(10))),
    ],
)
def test_a_number_and_a_share(size: int, count: float | None, right: list[int], lm_eval: list[int]) -> None:
    """A share is rounded up; lm-eval multiplies floats: 100 * 0.07 is 7.000000000000001 there."""
    assert chosen(size, count, None, "right", "t") == right
    assert chosen(size, count, None, "lm-eval", "t") == lm_eval


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
def test_chosen_documents(mode: str) -> None:
    assert chosen(20, None, "9, 3-4", mode, "t") == [3, 4, 9]  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"no document 20: the task has 20 \(0 to 19\)"):
        chosen(20, None, "3, 20", mode, "t")  # type: ignore[arg-type]
