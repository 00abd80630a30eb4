"""Contexts and continuations as tokens: the split, what stands before nothing, and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.scoring.pairs import EncodedPair, Mode, Unscorable, encode_pairs

MERGES = ("ab", " a", " ab", "bc", "  ")


@dataclass
class Merging:
    """Longest match first over a few merges, characters otherwise; <s> and </s> are written out."""

    bos_id: int | None = 1
    eos_id: int | None = 2
    adds_bos: bool = False
    size: int = 2000
    digest: str = ""

    def encode(self, text: str) -> list[int]:
        ids = []
        while text:
            special = next((i for i, name in ((1, "<s>"), (2, "</s>")) if text.startswith(name)), None)
            piece = "<s>" if special == 1 else "</s>" if special == 2 else None
            piece = piece or max((m for m in MERGES if text.startswith(m)), key=len, default=text[0])
            ids.append(special or (1000 + MERGES.index(piece) if piece in MERGES else ord(piece)))
            text = text[len(piece) :]
        return ids

    def decode(self, ids: list[int]) -> str:
        names = {1: "<s>", 2: "</s>"}
        return "".join(names.get(i) or (MERGES[i - 1000] if i >= 1000 else chr(i)) for i in ids)

    def token_bytes(self, ids: list[int]) -> list[int]:
        return [len(self.decode([i])) for i in ids]


AB, _A, _AB, BC, BLANKS = range(1000, 1005)
BOTH: tuple[Mode, ...] = ("right", "lm-eval")


def split(
    before: str, after: str, mode: Mode = "right", context: int = 100, tokenizer: Merging | None = None
) -> tuple[list[int], list[int]]:
    [pair] = encode_pairs(tokenizer or Merging(), [(before, after)], context, mode)
    assert isinstance(pair, EncodedPair), pair
    return list(pair.scored.ids[: pair.scored.start]), list(pair.scored.ids[pair.scored.start :])


@pytest.mark.parametrize("mode", BOTH)
def test_the_continuation_is_what_the_whole_has_beyond_the_context(mode: Mode) -> None:
    assert split("x", " ab", mode) == ([ord("x")], [_AB])
    assert split("x ", "ab", mode) == ([ord("x")], [_AB]), "blanks at the end go with the continuation"
    assert split("x\n ", "ab", mode) == ([ord("x")], [ord("\n"), _AB])


def test_a_token_over_the_seam() -> None:
    assert split("xa", "bc", "lm-eval") == ([ord("x"), ord("a")], [ord("c")]), "b is never scored"
    assert split("xa", "bc", "right") == ([ord("x")], [AB, ord("c")])
    [pair] = encode_pairs(Merging(), [("xa", "b")], 100, "lm-eval")
    assert isinstance(pair, Unscorable) and "no token of its own" in pair.reason and "mode right" in pair.reason
    assert split("xa", "b", "right") == ([ord("x")], [AB])
    assert split("a", "b", "right") == ([1], [AB]), "nothing is left before it but the prefix token"


@pytest.mark.parametrize("mode", BOTH)
def test_nothing_before(mode: Mode) -> None:
    assert split("", "xy", mode) == ([1], [ord("x"), ord("y")])
    assert split("", "xy", mode, tokenizer=Merging(bos_id=None)) == ([2], [ord("x"), ord("y")])
    assert split("  ", "xy", mode) == ([1], [BLANKS, ord("x"), ord("y")])
    assert split("", "<s>xy", mode) == ([1], [ord("x"), ord("y")]), "written out already"
    assert split("", "xy", mode, tokenizer=Merging(adds_bos=True)) == ([1], [ord("x"), ord("y")])
    with pytest.raises(UserError, match="neither BOS nor EOS"):
        split("", "xy", mode, tokenizer=Merging(bos_id=None, eos_id=None))


@pytest.mark.parametrize("mode", BOTH)
def test_a_tokenizer_that_adds_bos_adds_it_once(mode: Mode) -> None:
    adding = Merging(adds_bos=True)
    assert split("x", " a", mode, tokenizer=adding) == ([1, ord("x")], [_A])
    assert split("<s>x", " a", mode, tokenizer=adding) == ([1, ord("x")], [_A])


def test_what_does_not_fit_is_cut_at_the_left_and_told() -> None:
    for mode in BOTH:
        [pair] = encode_pairs(Merging(), [("uvwxyz", " a")], 4, mode)
        assert pair == EncodedPair(pair.scored, cut=2) and pair.scored.ids == (*map(ord, "wxyz"), _A)  # type: ignore[union-attr]
    adding = Merging(adds_bos=True)
    assert split("uvwxyz", " a", "lm-eval", 4, adding) == ([*map(ord, "wxyz")], [_A])
    assert split("uvwxyz", " a", "right", 4, adding) == ([1, *map(ord, "xyz")], [_A]), "BOS stays"


@pytest.mark.parametrize("mode", BOTH)
def test_a_continuation_beyond_the_context(mode: Mode) -> None:
    assert split("uv", "wxyz", mode, context=4) == ([ord("v")], [*map(ord, "wxyz")])
    [pair] = encode_pairs(Merging(), [("uv", "vwxyz")], 4, mode)
    assert pair == Unscorable("the continuation has 5 tokens and the model's context is 4: shorten it")
    [pair] = encode_pairs(Merging(), [("uv", "")], 4, mode)
    assert pair == Unscorable("the continuation is empty: give it a text to score")


texts = st.text("abcx ", max_size=8)


@given(before=texts, after=st.text("abcx ", min_size=1, max_size=8), adds_bos=st.booleans())
def test_mode_right_scores_an_end_of_the_whole_text(before: str, after: str, adds_bos: bool) -> None:
    tokenizer = Merging(adds_bos=adds_bos)
    given_, asked = split(before, after, "right", tokenizer=tokenizer)
    assert [i for i in given_ + asked if i != 1] == tokenizer.encode(before + after)
    assert tokenizer.decode(asked).endswith(after) or before.strip() == "" or after.strip() == ""


@given(before=texts, after=st.text("abcx ", min_size=1, max_size=8))
def test_modes_agree_where_no_token_lies_over_the_seam(before: str, after: str) -> None:
    tokenizer = Merging()
    stripped = before.rstrip()
    whole = tokenizer.encode(before + after)
    if stripped and whole[: len(tokenizer.encode(stripped))] == tokenizer.encode(stripped):
        assert split(before, after, "right") == split(before, after, "lm-eval")
