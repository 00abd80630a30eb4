"""How far two sequences begin alike, against comparing one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.common_prefix import common_prefix

FEW = st.integers(0, 1)
PAIRS = st.one_of(
    *(st.tuples(one, one) for one in (st.text("ab"), st.lists(FEW), st.lists(FEW).map(tuple), st.lists(st.text("a"))))
)


@given(PAIRS)
def test_as_comparing_one_by_one(pair: tuple[Sequence[Any], Sequence[Any]]) -> None:
    one, other = pair
    alike = takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False))
    assert common_prefix(one, other) == common_prefix(other, one) == len(list(alike))


@given(st.text(), st.text())
def test_a_beginning_is_common_whole(begun: str, rest: str) -> None:
    assert common_prefix(begun + rest, begun) == len(begun)
