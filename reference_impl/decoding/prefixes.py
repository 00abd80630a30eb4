"""Which prompts begin alike: what several share is read once.

Equal prompts (several samples of one) are one prompt to read. Different ones that begin with the same few-shot examples
are a family: their common beginning, the stem, is read once, and each of them only from there on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WORTH_SHARING = 32
"""A shorter stem is not: it would have to be copied for each prompt, and the rests read apart from other prompts."""


@dataclass(frozen=True)
class Distinct:
    """A prompt and who asked for it."""

    prompt: tuple[int, ...]
    numbers: tuple[int, ...]
    """Of the requests, all of which have this very prompt."""


@dataclass(frozen=True)
class Family:
    """Prompts that begin with the same tokens."""

    stem: int
    """So many; 0: nothing worth sharing. Shorter than every prompt, whose last token must be read to go on from."""
    members: tuple[Distinct, ...]
    """Longest prompt first."""


def families(prompts: Mapping[int, Sequence[int]]) -> list[Family]:
    """Share the prompts of numbered requests out, the family with the longest prompt first.

    Prompts are sorted, and neighbors joined as long as joining spares tokens: of n prompts that share p tokens, n - 1
    times p need not be read.
    """
    numbers: dict[tuple[int, ...], list[int]] = {}
    for number, prompt in prompts.items():
        numbers.setdefault(tuple(prompt), []).append(number)
    found: list[Family] = []
    alone: list[Distinct] = []
    joined: list[tuple[int, ...]] = []
    stem = 0
    for prompt in [*sorted(numbers), ()]:  # the empty one shares nothing, so it ends the last family
        common = min(stem, _common(joined[-1], prompt)) if joined else len(prompt) - 1
        if joined and (common < WORTH_SHARING or len(joined) * common < (len(joined) - 1) * stem):
            members = sorted((Distinct(p, tuple(numbers[p])) for p in joined), key=_longest_first)
            if len(members) > 1:
                found.append(Family(stem, tuple(members)))
            else:
                alone += members
            joined, common = [], len(prompt) - 1
        joined.append(prompt)
        stem = min(common, len(prompt) - 1)
    if alone:
        found.append(Family(0, tuple(sorted(alone, key=_longest_first))))
    return sorted(found, key=lambda family: _longest_first(family.members[0]))


def _longest_first(distinct: Distinct) -> tuple[int, int]:
    return -len(distinct.prompt), distinct.numbers[0]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with: found by halves, comparing whole pieces."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
