"""What tokenizers lose of a text: those that lose some, each in its own way, and those that lose nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.transformers_tokenizer import TransformersTokenizer
from harness.scoring.round_trip import RoundTrip, lossy_note, round_trip, why_nonsense
from tests.tiny_models import byte_tokenizer

TEXTS = [
    "The river was cold.",
    "ﬁne  naïve\tcafé",
    "漢字 仮名 🙂",
    " leading and trailing ",
    "def f(a):\n    return a\n",
]


def fast(tokenizer: Any, **special: str) -> TransformersTokenizer:
    from transformers import PreTrainedTokenizerFast

    return TransformersTokenizer(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special))


def byte_level(add_prefix_space: bool = False, normalizer: Any = None) -> TransformersTokenizer:
    tokenizer = byte_tokenizer(prefix_space=add_prefix_space)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return fast(tokenizer)


def byte_fallback(prepend_scheme: str) -> TransformersTokenizer:
    """As Llama's: a space becomes ▁, one stands before the text, and what has no token of its own is bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = ["<unk>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz.", "\n"]
    tokenizer = Tokenizer(
        models.BPE({p: i for i, p in enumerate(pieces)}, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend_scheme, split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return fast(tokenizer, unk_token="<unk>")


def words(vocabulary: str, lower: bool = False) -> TransformersTokenizer:
    """Whole words, split at white space: others are unknown."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(
        models.WordLevel({w: i for i, w in enumerate(["<unk>", *vocabulary.split()])}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    return fast(tokenizer, unk_token="<unk>")


def wordpiece() -> TransformersTokenizer:
    """As BERT's: in small letters, without accents."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[UNK]", *letters, *(f"##{c}" for c in letters), *".,"]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return fast(tokenizer, unk_token="[UNK]")


def of(tokenizer: TransformersTokenizer, text: str) -> RoundTrip:
    return round_trip(tokenizer, text, tokenizer.encode(text))


RIGHT: dict[str, Callable[[], TransformersTokenizer]] = {
    "byte level": byte_level,
    "byte level with a space put before": lambda: byte_level(add_prefix_space=True),
    "bytes where there is no token, a space always put before": lambda: byte_fallback("always"),
    "bytes where there is no token, a space put before the first": lambda: byte_fallback("first"),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("text", [*TEXTS, "", " ", "a", "\n\n"])
def test_what_comes_back_whole_has_lost_nothing(name: str, text: str) -> None:
    found = of(RIGHT[name](), text)
    assert found.is_whole and found.bytes == len(text.encode())


def _normalizer(name: str) -> Any:
    from tokenizers import normalizers

    return getattr(normalizers, name)()


LOSSY: list[tuple[str, Callable[[], TransformersTokenizer], str, int, int]] = [
    ("capitals", lambda: byte_level(normalizer=_normalizer("Lowercase")), "The River was cold", 2, 0),
    ("accents", lambda: byte_level(normalizer=_normalizer("StripAccents")), "plain", 0, 0),
    ("composed by NFKC", lambda: byte_level(normalizer=_normalizer("NFKC")), "a ﬁne thing here", 3, 2),
    ("white space at the ends", lambda: byte_level(normalizer=_normalizer("Strip")), "here  \n", 3, 0),
    ("unknown words", lambda: words("the river was cold"), "the stream was cold", 6, 5),
    ("several spaces", lambda: words("the river was cold"), "the    river was cold", 3, 0),
    ("line breaks", lambda: words("the river was cold"), "the river\nwas cold", 1, 0),
    ("small letters of WordPiece", wordpiece, "The river, the River", 2, 0),
    ("characters without a token", wordpiece, "river 漢", 3, 5),
    ("spaces before a full stop", wordpiece, "the river .", 1, 0),
]


@pytest.mark.parametrize(("make", "text", "lost", "added"), [case[1:] for case in LOSSY], ids=[c[0] for c in LOSSY])
def test_lost_bytes_are_counted(make: Callable[[], TransformersTokenizer], text: str, lost: int, added: int) -> None:
    found = of(make(), text)
    assert (found.lost, found.added) == (lost, added), found.example


def test_the_first_difference_is_shown() -> None:
    found = of(byte_level(normalizer=_normalizer("Lowercase")), "it was The River")
    assert found.example == "'The River' comes back as 'the river'"


def test_a_note_counts_and_shows() -> None:
    trips = [(3, RoundTrip(100)), (7, RoundTrip(100, 30, 5, "'A' comes back as 'a'"))]
    assert lossy_note(trips, "x.txt") == (
        "the tokenizer loses 30 of 200 bytes of x.txt (15 %) and adds 5: in 1 of 2 documents the text that comes back "
        "is another, as in document 7, where 'A' comes back as 'a'"
    )
    assert lossy_note([(0, RoundTrip(5))], "x.txt") is None


@pytest.mark.parametrize(("lost", "size", "nonsense"), [(0, 0, False), (0, 9, False), (1, 100, False), (2, 100, True)])
def test_numbers_per_byte_are_withheld_above_one_percent(lost: float, size: float, nonsense: bool) -> None:
    assert (why_nonsense(lost, size) is not None) is nonsense


class _Back:
    """A tokenizer that gives back another text."""

    def __init__(self, back: str) -> None:
        self.back = back

    def decode(self, ids: list[int]) -> str:
        return self.back


@given(text=st.text(), back=st.text())
def test_a_loss_is_within_the_texts(text: str, back: str) -> None:
    found = round_trip(_Back(back), text, [0])  # type: ignore[arg-type]
    assert 0 <= found.lost <= len(text.encode("utf-8", "surrogatepass"))
    assert 0 <= found.added <= len(back.encode("utf-8", "surrogatepass"))
    assert found.is_whole is (text.removeprefix(" ") == back.removeprefix(" "))


@given(text=st.text(min_size=1), start=st.integers(0, 50), count=st.integers(1, 30))
def test_a_piece_that_is_cut_out_is_lost(text: str, start: int, count: int) -> None:
    """At least so much is lost as the text is shorter."""
    back = text[:start] + text[start + count :]
    found = round_trip(_Back(back), text, [0])  # type: ignore[arg-type]
    shorter = len(text.encode("utf-8", "surrogatepass")) - len(back.encode("utf-8", "surrogatepass"))
    assert found.lost - found.added >= shorter - 1  # a single space before the text is not looked at


def test_the_cost_grows_with_the_text() -> None:
    """Not with its square: a text of a megabyte that differs everywhere takes seconds."""
    text = "THE RIVER WAS COLD " * 10_000
    began = time.process_time()
    found = round_trip(_Back(text.lower()), text, [0])  # type: ignore[arg-type]
    assert found.lost == 15 * 10_000
    assert time.process_time() - began < 10
