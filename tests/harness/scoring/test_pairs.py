"""Contexts and continuations as tokens: the split, what stands before nothing, and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mode import Mode
from harness.scoring.document_encoder import DocumentEncoder
from harness.scoring.pairs import EncodedPair, Unscorable, encode_choices, encode_pairs

MERGES = ("ab", " a", " ab", "bc", "  ")


@dataclass
class Merging:
    """Longest match first over a few merges, characters otherwise; <s> and </s> are written out."""

    bos_id: int | None = 1
    eos_id: int | None = 2
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    size: int = 2000
    digest: str = ""
    added: ClassVar[dict[str, int]] = {"<s>": 1, "</s>": 2}

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


def model(tokenizer: Merging | None = None) -> Any:
    """What encoding needs of a model: its tokenizer, and what is settled about its text."""
    chosen = tokenizer or Merging()
    declared = [token for token in (chosen.bos_id, chosen.eos_id) if token is not None]
    settled = SimpleNamespace(prefix=chosen.prefix, start=chosen.prefix or tuple(declared[:1]))
    return SimpleNamespace(tokenizer=chosen, identity=settled)


AB, _A, _AB, BC, BLANKS = range(1000, 1005)
BOTH: tuple[Mode, ...] = ("right", "lm-eval")


def split(
    before: str, after: str, mode: Mode = "right", context: int = 100, tokenizer: Merging | None = None
) -> tuple[list[int], list[int]]:
    [pair] = encode_pairs(model(tokenizer), [(before, after)], context, mode)
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
    [pair] = encode_pairs(model(), [("xa", "b")], 100, "lm-eval")
    assert isinstance(pair, Unscorable) and "no token of its own" in pair.reason and "mode right" in pair.reason
    assert split("xa", "b", "right") == ([ord("x")], [AB])
    assert split("a", "b", "right") == ([1], [AB]), "nothing is left before it but the prefix token"


@pytest.mark.parametrize("mode", BOTH)
def test_nothing_before(mode: Mode) -> None:
    assert split("", "xy", mode) == ([1], [ord("x"), ord("y")])
    assert split("", "xy", mode, tokenizer=Merging(bos_id=None)) == ([2], [ord("x"), ord("y")])
    assert split("  ", "xy", mode) == ([1], [BLANKS, ord("x"), ord("y")])
    assert split("", "<s>xy", mode) == ([1], [ord("x"), ord("y")]), "written out already"
    assert split("", "xy", mode, tokenizer=Merging(prefix=(1,))) == ([1], [ord("x"), ord("y")])
    [pair] = encode_pairs(model(Merging(bos_id=None, eos_id=None)), [("", "xy")], 9, mode)
    assert isinstance(pair, Unscorable) and "neither BOS nor EOS" in pair.reason
    assert split("x", "y", mode, tokenizer=Merging(bos_id=None, eos_id=None)) == ([ord("x")], [ord("y")])


@pytest.mark.parametrize("mode", BOTH)
def test_a_tokenizer_that_adds_bos_adds_it_once(mode: Mode) -> None:
    adding = Merging(prefix=(1,))
    assert split("x", " a", mode, tokenizer=adding) == ([1, ord("x")], [_A])
    assert split("<s>x", " a", mode, tokenizer=adding) == ([1, ord("x")], [_A])


def test_what_does_not_fit_is_cut_at_the_left_and_told() -> None:
    for mode in BOTH:
        [pair] = encode_pairs(model(), [("uvwxyz", " a")], 4, mode)
        assert pair == EncodedPair(pair.scored, cut=2) and pair.scored.ids == (*map(ord, "wxyz"), _A)  # type: ignore[union-attr]
    adding = Merging(prefix=(1,))
    assert split("uvwxyz", " a", "lm-eval", 4, adding) == ([*map(ord, "wxyz")], [_A])
    assert split("uvwxyz", " a", "right", 4, adding) == ([1, *map(ord, "xyz")], [_A]), "BOS stays"


@pytest.mark.parametrize("mode", BOTH)
def test_a_continuation_beyond_the_context(mode: Mode) -> None:
    assert split("uv", "wxyz", mode, context=4) == ([ord("v")], [*map(ord, "wxyz")])
    [pair] = encode_pairs(model(), [("uv", "vwxyz")], 4, mode)
    assert pair == Unscorable("the continuation has 5 tokens and the model's context is 4: shorten it")
    [pair] = encode_pairs(model(), [("uv", "")], 4, mode)
    assert pair == Unscorable("the continuation is empty: give it a text to score")


texts = st.text("abcx ", max_size=8)


@given(before=texts, after=st.text("abcx ", min_size=1, max_size=8), adds_bos=st.booleans())
def test_mode_right_scores_an_end_of_the_whole_text(before: str, after: str, adds_bos: bool) -> None:
    tokenizer = Merging(prefix=(1,) if adds_bos else ())
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


def choices(
    before: str, *after: str, context: int = 100, tokenizer: Merging | None = None, mode: Mode = "right"
) -> list[tuple[list[int], list[int]]]:
    encode = DocumentEncoder(model(tokenizer), mode)
    found = encode_choices(encode, [(before, each) for each in after], context)
    pairs = [pair for pair in found if isinstance(pair, EncodedPair)]
    assert len(pairs) == len(after), found
    return [(list(p.scored.ids[: p.scored.start]), list(p.scored.ids[p.scored.start :])) for p in pairs]


X, A, B, C = map(ord, "xabc")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_over_the_seam_of_any_choice_counts_for_all(place: int) -> None:
    after = ["c", "x", "cc"]
    after[place] = "b"  # merges with the context's last token
    for each, (given_, asked) in zip(after, choices("xa", *after), strict=True):
        assert given_ == [X], "all choices are given the same"
        assert Merging().decode(given_ + asked) == "xa" + each
    after[place] = "c"
    assert [given_ for given_, _ in choices("xa", *after)] == [[X, A]] * 3, "nothing lies over the seam"


def test_a_seam_at_the_very_beginning_is_after_nothing_for_all() -> None:
    assert choices("a", "b", "c") == [([1], [AB]), ([1], [A, C])]
    assert choices("a", "b", "c", tokenizer=Merging(prefix=(1,))) == [([1], [AB]), ([1], [A, C])]


def test_choices_lose_the_same_of_a_context_that_is_too_long() -> None:
    found = choices("uvwxyz", "a", "cccc", context=6)
    assert [given_ for given_, _ in found] == [[*map(ord, "xyz")]] * 2, "room for the longest"
    theirs = choices("uvwxyz", "a", "cccc", context=6, mode="lm-eval")
    assert [len(given_) for given_, _ in theirs] == [6, 3], "lm-eval cuts of each what its own length wants"


def test_choices_after_other_contexts_are_split_for_themselves() -> None:
    encode = DocumentEncoder(model())
    one, other = encode_choices(encode, [("xa", "bc"), ("xx", "bc")], 100)
    assert isinstance(one, EncodedPair) and isinstance(other, EncodedPair)
    assert (one.scored.start, other.scored.start) == (1, 2)


@given(before=texts, after=st.lists(st.text("abcx ", min_size=1, max_size=5), min_size=1, max_size=4))
def test_choices_share_what_they_are_given_and_together_are_the_whole_text(before: str, after: list[str]) -> None:
    found = choices(before, *after)
    assert len({tuple(given_) for given_, _ in found}) == 1
    for each, (given_, asked) in zip(after, found, strict=True):
        assert [i for i in given_ + asked if i != 1] == Merging().encode(before + each)


MASK, SOP = 3, 4


def test_what_stands_first_may_be_several_tokens_and_stands_there_once() -> None:
    """As ChatGLM's tokenizer puts [gMASK] and <sop>, whatever its BOS is."""
    several = Merging(prefix=(2, 1), bos_id=None)
    assert split("x", " a", tokenizer=several) == ([2, 1, X], [_A])
    assert split("</s><s>x", " a", tokenizer=several) == ([2, 1, X], [_A]), "written out"
    assert split("<s>x", " a", tokenizer=several) == ([2, 1, X], [_A]), "half of it written out"
    assert split("\n</s><s>x", " a", tokenizer=several) == ([ord("\n"), 2, 1, X], [_A]), "after white space"
    assert split("", "xy", tokenizer=several) == ([2, 1], [X, ord("y")])
    assert split("uvwxyz", " a", context=4, tokenizer=several) == ([2, 1, ord("y"), ord("z")], [_A]), "and it is kept"


def test_what_a_tokenizer_puts_last_stays_in_mode_lm_eval_alone() -> None:
    ends = Merging(suffix=(2,))
    assert split("x", " a", tokenizer=ends) == ([X], [_A])
    assert split("xx", " a", "lm-eval", tokenizer=ends) == ([X, X, 2], [2]), "and takes the continuation's place"
