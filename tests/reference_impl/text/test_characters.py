"""Characters to ids and back, and the face that byte-level BPE has."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.text.any_tokenizer import load_tokenizer
from reference_impl.text.characters import Characters
from reference_impl.text.packing import pack
from reference_impl.text.tokenizer import ByteBPE


@given(st.text(min_size=1))
def test_a_text_comes_back_and_its_bytes_add_up(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    if not text:
        return
    tokenizer = Characters.train([text])
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert sum(tokenizer.token_bytes(ids)) == len(text.encode())
    assert tokenizer.size == len(set(text))


def test_ids_follow_the_code_points() -> None:
    assert Characters.train(["ba", "a c"]).encode("abc ") == [1, 2, 3, 0]


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(ValueError, match="'z' is not in this tokenizer's alphabet of 2"):
        Characters("ab").encode("az")
    with pytest.raises(ValueError, match="token ids must be 0 to 1, got 1 to 2"):
        Characters("ab").decode([1, 2])


@pytest.mark.parametrize("alphabet", ["", "aba"])
def test_an_alphabet_has_each_character_once(alphabet: str) -> None:
    with pytest.raises(ValueError, match="each of them once"):
        Characters(alphabet)


def test_it_is_saved_and_loaded_as_what_it_is(tmp_path: Path) -> None:
    tokenizer = Characters("abc\né")
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert isinstance(loaded, Characters)
    assert loaded.alphabet == tokenizer.alphabet
    assert loaded.digest == tokenizer.digest != Characters("abc").digest
    ByteBPE.train(["abc"], 258).save(tmp_path / "bpe.json")
    assert isinstance(load_tokenizer(tmp_path / "bpe.json"), ByteBPE)
    for text in ("{", "[]", '{"format": "characters"}', '{"format": "characters", "alphabet": "aa"}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match=r"bad\.json: not a"):
            load_tokenizer(tmp_path / "bad.json")


def test_packing_puts_nothing_between_documents() -> None:
    assert pack(Characters("abc"), ["ab", "ca"]).tolist() == [0, 1, 2, 0]
