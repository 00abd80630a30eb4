"""Prompts that begin alike are found, and nothing is read that needn't be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.decoding import prefixes
from reference_impl.decoding.prefixes import families

PROMPTS = st.dictionaries(st.integers(0, 50), st.lists(st.integers(0, 2), min_size=1, max_size=12), max_size=12)


@pytest.fixture(autouse=True)
def short_stems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "WORTH_SHARING", 3)


def tokens_read(prompts: dict[int, list[int]]) -> int:
    found = families(prompts)
    return sum(f.stem + sum(len(member.prompt) - f.stem for member in f.members) for f in found)


@given(PROMPTS)
def test_every_request_is_in_one_family_and_begins_with_its_stem(prompts: dict[int, list[int]]) -> None:
    found = families(prompts)
    members = [(number, member, family) for family in found for member in family.members for number in member.numbers]
    assert sorted(number for number, _, _ in members) == sorted(prompts)
    for number, member, family in members:
        assert list(member.prompt) == prompts[number]
        assert family.stem < len(member.prompt)
        assert member.prompt[: family.stem] == family.members[0].prompt[: family.stem]
        assert family.stem == 0 or family.stem >= 3
        assert family.stem == 0 or len(family.members) > 1
    longest = [len(family.members[0].prompt) for family in found]
    assert longest == sorted(longest, reverse=True)


@given(PROMPTS)
def test_no_more_is_read_than_each_distinct_prompt(prompts: dict[int, list[int]]) -> None:
    assert tokens_read(prompts) <= sum(map(len, set(map(tuple, prompts.values()))))


def test_worked_examples_and_samples() -> None:
    shots, others = [1, 2, 3, 4, 5], [7, 8, 9, 7]
    prompts = {0: [*shots, 6], 1: [*others, 1, 2, 3], 2: [*shots, 6], 3: [2], 4: [*shots, 9, 9], 5: [*others, 5]}
    assert [(f.stem, [member.numbers for member in f.members]) for f in families(prompts)] == [
        (4, [(1,), (5,)]),
        (5, [(4,), (0, 2)]),
        (0, [(3,)]),
    ]
    assert tokens_read(prompts) == 5 + 1 + 2 + 4 + 3 + 1 + 1


def test_a_prompt_that_begins_another_is_still_read_to_its_end() -> None:
    assert [family.stem for family in families({0: [1, 2, 3, 4], 1: [1, 2, 3, 4, 5]})] == [3]


def test_one_short_neighbor_does_not_spoil_a_long_stem() -> None:
    long = [1, 2, 3, 4, 5, 6, 7, 8]
    found = families({0: [*long, 1], 1: [*long, 2], 2: [1, 2, 3, 9]})
    assert [family.stem for family in found] == [8, 0]
