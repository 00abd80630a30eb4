"""A bounded substitution is `re.sub`, up to its bound."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.code.substituting import substituted_within

PATTERNS = ["a", "(a)(b)?", "", "a*", "(?P<x>b+)a", "(?=(.*))", "[ab]", "(a|b)*?", r"\b"]
PIECES = ["", "x", "xy", r"\1", r"\g<1>", r"\g<0>", r"\2", r"\g<x>", r"\n", "\\\\", "1", r"\g<nobody>", r"\9"]


@given(
    st.sampled_from(PATTERNS),
    st.lists(st.sampled_from(PIECES), max_size=5).map("".join),
    st.text("ab \n", max_size=40),
    st.integers(0, 3),
    st.integers(0, 300),
)
def test_it_is_what_re_sub_makes_or_longer_than_it_may(
    pattern: str, replacement: str, text: str, count: int, most: int
) -> None:
    try:
        right = re.sub(pattern, replacement, text, count=count)
    except (re.error, IndexError) as error:
        with pytest.raises(type(error)):
            substituted_within(most, pattern, replacement, text, count)
        return
    made = substituted_within(most, pattern, replacement, text, count)
    escapes = replacement.count("\\") * (len(text) + 1)  # counted as they are written
    if made is None:
        assert len(right) + escapes > most
    else:
        assert made == right and len(made) <= most


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [("x", "y" * 10**6), ("(x)", r"\1" + "y" * 10**6), ("(?=(.*))", r"\1" * 100), ("(?P<n>x.*)", r"\g<n>" * 10**5)],
)
def test_what_would_fill_the_memory_is_not_made(pattern: str, replacement: str) -> None:
    assert substituted_within(1 << 24, pattern, replacement, "x" * 10**5, 0) is None
    assert substituted_within(1 << 24, pattern, replacement, "x" * 10, 0) is not None
