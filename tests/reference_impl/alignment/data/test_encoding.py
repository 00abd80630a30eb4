"""Limits: what is left out, what is cut and how, and that both are counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.encoding import (
    Limits,
    Pair,
    encode_demonstrations,
    encode_judged,
    encode_preferences,
    encode_prompts,
)
from reference_impl.alignment.data.excluded import Excluded
from reference_impl.alignment.data.own_text import OwnText
from reference_impl.alignment.data.rows import Demonstration, Judged, Preference, Prompt, PromptText
from reference_impl.alignment.data.text_ids import Ids
from reference_impl.text.tokenizer import SMALLEST_VOCABULARY, ByteBPE

TOKENIZER = ByteBPE.train(["throwaway"], SMALLEST_VOCABULARY)
"""A token for each byte, so that lengths are those of texts: a prompt has BOS, a response EOS."""
TEXT = OwnText(TOKENIZER)


def ids(text: str) -> Ids:
    return tuple(TOKENIZER.encode(text))


def test_what_fits_is_whole() -> None:
    rows = [Demonstration("abc", "de"), Preference("abc", "de", "f", margin=2.0, label=0.8), Judged("abc", "de", False)]
    whole = Answered((0, *ids("abc")), (*ids("de"), 0), ended=True)
    assert encode_demonstrations([rows[0]], TEXT, Limits(7)).items == (whole,)  # type: ignore[list-item]
    [pair] = encode_preferences([rows[1]], TEXT, Limits(7)).items  # type: ignore[list-item]
    assert pair == Pair(whole, Answered(whole.prompt, (*ids("f"), 0), ended=True), 2.0, 0.8)
    [judged] = encode_judged([rows[2]], TEXT, Limits(7)).items  # type: ignore[list-item]
    assert (judged.answered, judged.wanted) == (whole, False)


def cut(limits: Limits, prompt: str = "abcdef", response: str = "uvwxyz") -> Any:
    """The only item, or the reason why there is none. `abcdef` has 7 tokens with BOS, `uvwxyz` 7 with EOS."""
    try:
        encoded = encode_demonstrations([Demonstration(prompt, response, "f:1")], TEXT, limits)
    except ValueError as error:
        return str(error)
    [item] = encoded.items
    return item, {excluded.reason for excluded in encoded.cut}


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(13), "prompt and response are longer than 13 tokens together"),
        (Limits(13, response=6), "a response is longer than 6 tokens"),
        (Limits(20, prompt=6), "the prompt is longer than 6 tokens"),
        (Limits(7), "the prompt is longer than 6 tokens"),
        (Limits(7, long_responses="cut"), "the prompt is longer than 6 tokens"),
        (Limits(13, prompt=7, long_prompts="keep_end"), "prompt and response are longer than 13 tokens together"),
        (Limits(20, prompt=1, long_prompts="keep_end"), "the prompt is longer than 1 tokens"),  # only BOS would be left
        (Limits(13, long_prompts="keep_end", response=6), "a response is longer than 6 tokens"),
    ],
)
def test_left_out(limits: Limits, why: str) -> None:
    assert cut(limits) == f"no row is left in token ids: 1 left out: {why} (at f:1)."


@pytest.mark.parametrize(
    ("limits", "prompt", "response", "ended"),
    [
        (Limits(14), "abcdef", "uvwxyz", True),
        (Limits(13, long_prompts="keep_end"), "bcdef", "uvwxyz", True),
        (Limits(12, long_responses="cut"), "abcdef", "uvwxy", False),
        (Limits(13, long_responses="cut"), "abcdef", "uvwxyz", False),  # all but EOS
        (Limits(10, long_prompts="keep_end", long_responses="cut"), "cdef", "uvwxy", False),  # half each
        (Limits(20, prompt=4, long_prompts="keep_end"), "def", "uvwxyz", True),
        (Limits(20, response=3, long_responses="cut"), "abcdef", "uvw", False),
        (Limits(10, response=3, long_responses="cut"), "abcdef", "uvw", False),
        (Limits(9, response=3, long_responses="cut", long_prompts="keep_end"), "bcdef", "uvw", False),
    ],
)
def test_cut(limits: Limits, prompt: str, response: str, ended: bool) -> None:
    item, reasons = cut(limits)
    assert item == Answered((0, *ids(prompt)), (*ids(response), *((0,) if ended else ())), ended)
    assert reasons == {
        reason
        for reason, is_cut in (("the beginning of a prompt", prompt != "abcdef"), ("the end of a response", not ended))
        if is_cut
    }


@given(
    st.integers(2, 12), st.none() | st.integers(1, 11), st.none() | st.integers(1, 12),
    st.sampled_from(["leave_out", "keep_end"]), st.sampled_from(["leave_out", "cut"]),
    st.text("abc", min_size=1, max_size=12), st.text("xyz", min_size=1, max_size=12),
    st.text("uvw", min_size=1, max_size=12),
)  # fmt: skip
def test_whatever_the_limits_nothing_is_longer_and_nothing_is_lost_in_silence(
    context: int, prompt: int | None, response: int | None, prompts: Any, responses: Any, p: str, a: str, b: str
) -> None:
    if prompt is not None and prompt >= context:
        return
    limits = Limits(context, prompt, response, prompts, responses)
    try:
        encoded = encode_preferences([Preference(p, a, b, place="f:1")], TEXT, limits)
    except ValueError as error:
        assert "1 left out: " in str(error)
        return
    [pair] = encoded.items
    assert pair.chosen.prompt == pair.rejected.prompt
    for answer, text in ((pair.chosen, a), (pair.rejected, b)):
        assert len(answer.tokens) <= context
        assert len(answer.prompt) <= (prompt or context)
        assert len(answer.response) <= (response or context)
        assert (0, *ids(p)[len(ids(p)) + 1 - len(answer.prompt) :]) == answer.prompt  # BOS and the end
        assert (*ids(text), 0)[: len(answer.response)] == answer.response
        assert answer.ended == (answer.response[-1] == 0)
    whole = all(answer.ended for answer in (pair.chosen, pair.rejected)) and len(pair.chosen.prompt) == len(p) + 1
    assert whole == (not encoded.cut)


def test_a_pair_that_is_the_same_once_cut_is_left_out() -> None:
    rows = [Preference("a", "xy1", "xy2", place="f:1"), Preference("a", "xy", "z")]
    encoded = encode_preferences(rows, TEXT, Limits(4, long_responses="cut"))
    assert encoded.excluded == (Excluded("chosen and rejected are the same tokens", 1, "f:1"),)


def test_rows_that_were_made_by_hand_are_looked_at_too() -> None:
    rows = [Demonstration("a", "", "f:1"), Demonstration((), "b", "f:2"), Demonstration("a", "b")]
    encoded = encode_demonstrations(rows, TEXT, Limits(9))
    assert [one.reason for one in encoded.excluded] == ["the response is empty", "the prompt is empty"]
    with pytest.raises(ValueError, match="no row to make token ids of"):
        encode_demonstrations([], TEXT, Limits(9))


def test_prompts_leave_room_for_a_response() -> None:
    rows = [Prompt("abcdef", "g", "f:1"), Prompt("a", "b", "f:2")]
    assert [asked.ids for asked in encode_prompts(rows, TEXT, Limits(9, response=2)).items] == [
        (0, *ids("abcdef")),
        (0, *ids("a")),
    ]
    short = encode_prompts(rows, TEXT, Limits(9, response=3))
    assert [(asked.ids, asked.prompt.answer) for asked in short.items] == [((0, *ids("a")), "b")]
    assert short.excluded == (Excluded("the prompt is longer than 6 tokens", 1, "f:1"),)
    ends = encode_prompts(rows, TEXT, Limits(9, response=3, long_prompts="keep_end"))
    assert ends.items[0].ids == (0, *ids("bcdef"))
    assert ends.cut == (Excluded("the beginning of a prompt", 1, "f:1", "cut"),)
    with pytest.raises(ValueError, match="responses of 9 tokens leave nothing of a context of 9"):
        encode_prompts(rows, TEXT, Limits(9, response=9))


class NoBeginning(OwnText):
    """A tokenizer without BOS, whose template gives a prompt no token, or another one for each response."""

    def __init__(self, *, writes_response: bool) -> None:
        super().__init__(TOKENIZER)
        self._writes_response = writes_response

    @property
    def prefix(self) -> Ids:
        return ()

    def answered(self, prompt: PromptText, response: str) -> tuple[Ids, Ids]:
        return ids(response) if self._writes_response else (), ids(response)


@pytest.mark.parametrize(("writes", "why"), [(True, "otherwise for each response"), (False, "no BOS token")])
def test_prompts_that_are_none(writes: bool, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode_preferences([Preference("a", "b", "c")], NoBeginning(writes_response=writes), Limits(9))


@pytest.mark.parametrize(
    ("limits", "told"),
    [({"context": 1}, "2 is the least"), ({"response": 0}, "1 is the least"), ({"prompt": 9}, "leave nothing")],
)
def test_limits_without_room_are_refused(limits: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Limits(**({"context": 9} | limits))
