"""Repeatable choices, and the one rule that keeps the splits apart.

`random.Random` promises only that `random()` yields the same numbers in every Python version; `choice`,
`sample` and `shuffle` have changed before. So every choice here is built on `random()` alone.

The rule of the splits: **a sentence belongs to the split that its own bytes name** (`owner`). Who wants to
say something in the test split tries phrasings until one belongs to it. So no sentence can be in two splits,
whatever the seed, while every phrasing and every fact still occurs in all of them: what is new in the test
split is their combination.
"""

import re
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, TypeVar

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Item = TypeVar("Item")

_OWNERS: tuple[Split, ...] = ("test", "validation", "train", "train", "train", "train", "train", "train")
_MIX = 0x9E3779B1  # an odd constant (2^32 / golden ratio): CRC-32 is linear, a multiplication breaks that
_ATTEMPTS = 48

LABELS = ("Q", "A", "User", "Assistant", "Good answer", "Bad answer")
_BOUNDARY = re.compile(r"(?<=[^.][.?!])\s+|\n\n+|(?:^|(?<=\n))(?:" + "|".join(LABELS) + r"): ")
_SHORTEST = 4  # words; "A: 12." or "Yes, Tom." is an answer and says nothing without its question


class UnsayableError(Exception):
    """No phrasing that was tried belongs to the split; whoever plans the paragraph plans another."""


def owner(sentence: str) -> Split:
    """The split that a sentence (or a problem's key) belongs to: 1/8 test, 1/8 validation, 3/4 train."""
    return _OWNERS[(zlib.crc32(sentence.encode()) * _MIX & 0xFFFFFFFF) >> 29]


def sentences(document: str) -> list[str]:
    """The sentences of a document, as the splits understand them.

    A sentence ends at `.`, `?` or `!` before white space, or at a blank line; a speaker's label (`Q:`) is no
    part of it. A block without such marks (code with its output, where `...` is a prompt; a list of pairs)
    is one sentence.
    Answers of fewer than four words are left out.
    """
    return [part for part in _BOUNDARY.split(document) if part and len(part.split()) >= _SHORTEST]


def capitalised(text: str) -> str:
    """The text with its first letter in upper case and the rest as it was."""
    return text[:1].upper() + text[1:]


class Draw:
    """A stream of repeatable choices for one piece of text in one split, keyed by a string."""

    def __init__(self, key: str, split: Split) -> None:
        self.split = split
        self.random = Random(key).random

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""
        return int(self.random() * bound)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """One item, all equally likely."""
        return items[int(self.random() * len(items))]

    def skewed(self, items: Sequence[Item]) -> Item:
        """One item, the early ones far more often: the density at rank r falls as r^(-2/3).

        Few subjects are spoken of often and many seldom, as in natural text: so there is always something
        left that only a bigger model, or one that read more, knows.
        """
        return items[int(self.random() ** 3 * len(items))]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different positions of items, in random order (all of them if there are fewer)."""
        pool = list(items)
        count = min(count, len(pool))
        for place in range(count):
            other = place + int(self.random() * (len(pool) - place))
            pool[place], pool[other] = pool[other], pool[place]
        return pool[:count]

    def owns(self, key: str) -> bool:
        """Whether the sentence, or the problem with this key, belongs to this split."""
        return owner(key) == self.split

    def until_owned(self, make: Callable[[], str]) -> str:
        """The first text from `make` that belongs to this split; UnsayableError after 48 attempts."""
        for _ in range(_ATTEMPTS):
            text = make()
            if owner(text) == self.split:
                return text
        raise UnsayableError

    def say(self, frames: Sequence[str], openers: Sequence[str] = ("",), *, mark: str = ".", **slots: object) -> str:
        """One sentence of this split: an opener and a frame, its slots filled, capitalised, with its mark.

        Raises UnsayableError when 48 random phrasings all belong elsewhere.
        """
        random = self.random
        for _ in range(_ATTEMPTS):
            opener = openers[int(random() * len(openers))]
            frame = frames[int(random() * len(frames))]
            text = capitalised(opener + frame.format_map(slots)) + mark
            if owner(text) == self.split:
                return text
        raise UnsayableError

    def planned(self, make: Callable[["Draw"], Item]) -> Item:
        """What `make` returns, planned again from the start for as long as a sentence in it is unsayable."""
        while True:
            try:
                return make(self)
            except UnsayableError:
                continue
