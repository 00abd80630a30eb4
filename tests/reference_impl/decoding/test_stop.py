"""Text of tokens as they come, and where it stops: whatever tokens it was cut into."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.decoding.request import Continuation, Request
from reference_impl.decoding.stop import TextStream, find_stop
from reference_impl.text.tokenizer import ByteBPE

TOKENIZER = ByteBPE.train(["the cat sat on the mat. Zoë's café, 東京 🙂 the end."] * 20, 300)
BYTE = {chr(b): TOKENIZER.encode(chr(b))[0] for b in range(32, 127)}


@given(st.lists(st.integers(0, TOKENIZER.size - 1), max_size=30))
def test_the_stream_is_the_decoding_of_the_whole(tokens: list[int]) -> None:
    stream, length = TextStream(TOKENIZER.decode), 0
    for token in tokens:
        stream.push(token)
        assert len(stream.text) >= length and TOKENIZER.decode(tokens).startswith(stream.text), "nothing is taken back"
        length = len(stream.text)
    stream.flush()
    assert stream.text == TOKENIZER.decode(tokens)


def test_a_character_is_shown_when_it_is_whole() -> None:
    stream, tokens = TextStream(ByteBPE.train(["a"], 257).decode), ByteBPE.train(["a"], 257).encode("x🙂y")
    shown = []
    for token in tokens:
        stream.push(token)
        shown.append(stream.text)
    assert shown == ["x", "x", "x", "x", "x🙂", "x🙂y"]


def slow_find(text: str, strings: list[str]) -> int | None:
    """Character by character: the first moment at which the text ends with a stop string, and the longest such."""
    for end in range(len(text) + 1):
        ending = [string for string in strings if text[:end].endswith(string)]
        if ending:
            return end - max(map(len, ending))
    return None


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_finding_piece_by_piece_is_finding_character_by_character(pieces: list[str], strings: list[str]) -> None:
    text, found = "", None
    for piece in pieces:
        seen, text = len(text), text + piece
        found = find_stop(text, strings, seen)
        if found is not None:
            break
    assert found == slow_find("".join(pieces), strings)


def completed(text: str, stops: tuple[str, ...], tokens: list[int] | None = None) -> tuple[str | None, str, int]:
    ids = TOKENIZER.encode(text) if tokens is None else tokens
    growing = Continuation(Request([1], len(ids), stop_strings=stops), TOKENIZER.decode)
    for token in ids:
        if growing.finish is None:
            growing.push(token, 0.0)
    done = growing.completion()
    return done.text, done.finish, len(done.tokens)


def test_a_stop_string_may_begin_within_a_token_and_end_within_another() -> None:
    text = "the cat sat on the mat. the end."
    assert len(TOKENIZER.encode(text)) < len(text), "tokens are longer than characters"
    assert completed(text, ("at on t",))[:2] == ("the cat s", "stop_string")
    assert completed(text, ("zzz",))[:2] == (text, "length")
    assert completed("a🙂b", ("🙂",))[:2] == ("a", "stop_string")
    assert completed("abc", ("c",))[:2] == ("ab", "stop_string"), "the last token may complete it"
    assert completed("abc", ("a",))[0] == ""


def test_a_character_that_is_never_finished_is_shown_at_the_end() -> None:
    assert completed("", (), TOKENIZER.encode("a🤖")[:-1])[0] == "a\ufffd"


def test_a_stop_id_is_a_token_and_no_text() -> None:
    growing = Continuation(Request([1], 9, stop_ids=frozenset({0})), TOKENIZER.decode)
    for token in [*TOKENIZER.encode("ab"), 0]:
        growing.push(token, -1.0)
    done = growing.completion()
    assert (done.text, done.finish, done.tokens[-1], len(done.log_probs)) == ("ab", "stop_id", 0, len(done.tokens))


def test_what_still_grows_has_no_completion() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        Continuation(Request([1], 2), None).completion()
