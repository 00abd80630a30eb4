import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.text.tokenizer import END_OF_TEXT, SMALLEST_VOCABULARY, ByteBPE

DOCUMENTS = [
    "The king of Arbor has a daughter. She is the princess of Arbor.",
    "12 + 34 = 46. What is 1234 + 1? It is 1235.",
    "Ünïcode, Ελληνικά, 日本語 and 🙂 are text as well.",
] * 4

TOKENIZER = ByteBPE.train(DOCUMENTS, 320)


@given(st.text())
def test_any_text_survives_the_round_trip(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.end_id not in ids


@given(st.text())
def test_token_bytes_sum_to_the_bytes_of_the_text(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert sum(TOKENIZER.token_bytes(ids)) == len(text.encode())


@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_batch_is_encoded_as_its_texts_are(texts: list[str]) -> None:
    assert TOKENIZER.encode_batch(texts) == [TOKENIZER.encode(text) for text in texts]


def test_token_bytes_agree_with_decoding_each_token_where_it_is_whole_characters() -> None:
    for token in range(1, TOKENIZER.size):
        text = TOKENIZER.decode([token])
        if "\ufffd" not in text:
            assert TOKENIZER.token_bytes([token]) == [len(text.encode())], text


def test_the_end_of_text_inside_a_text_is_ordinary_text() -> None:
    text = f"before{END_OF_TEXT}after"
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.end_id not in ids
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.encode_batch([text]) == [ids]


def test_the_end_of_text_is_token_zero_and_has_no_bytes() -> None:
    assert TOKENIZER.end_id == TOKENIZER.bos_id == TOKENIZER.eos_id == 0
    assert (TOKENIZER.prefix, TOKENIZER.suffix, TOKENIZER.added) == ((0,), (), {END_OF_TEXT: 0})
    assert TOKENIZER.token_bytes([0]) == [0]
    assert TOKENIZER.decode([0]) == END_OF_TEXT


def test_each_digit_is_a_token_of_its_own() -> None:
    assert len(TOKENIZER.encode("1234")) == 4
    assert TOKENIZER.encode("1234")[1:] == TOKENIZER.encode("234")


def test_training_reaches_the_vocabulary_or_says_how_far_it_came() -> None:
    assert TOKENIZER.size == 320
    small = ByteBPE.train(["ab ab"], 1000)
    assert SMALLEST_VOCABULARY < small.size < 1000


def test_training_is_the_same_in_another_process() -> None:
    program = (
        "import json, sys; from reference_impl.text.tokenizer import ByteBPE;"
        "print(ByteBPE.train(json.load(sys.stdin), 320).digest)"
    )
    for hash_seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(DOCUMENTS),
            text=True,
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        assert printed.strip() == TOKENIZER.digest


def test_saved_and_loaded_is_the_same_tokenizer(tmp_path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = ByteBPE.load(tmp_path / "tokenizer.json")
    assert loaded.digest == TOKENIZER.digest
    assert loaded.size == TOKENIZER.size
    text = f"12 kings {END_OF_TEXT} 日本"
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_another_vocabulary_has_another_digest() -> None:
    assert ByteBPE.train(DOCUMENTS, 319).digest != TOKENIZER.digest


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 257"):
        ByteBPE.train(DOCUMENTS, 256)


@pytest.mark.parametrize("content", ["", "{", '{"model": 1}', "\udcff"])
def test_a_broken_file_is_refused_by_name(tmp_path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"tokenizer\.json: not a byte-level BPE tokenizer"):
        ByteBPE.load(path)


def test_a_tokenizer_without_the_end_of_text_is_refused(tmp_path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    definition = json.loads((tmp_path / "tokenizer.json").read_text())
    definition["added_tokens"] = []
    vocabulary = definition["model"]["vocab"]
    vocabulary["<other>"] = vocabulary.pop(END_OF_TEXT)
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition))
    with pytest.raises(ValueError, match="is not its token 0"):
        ByteBPE.load(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("ids", [[320], [-1], [3, 5000]])
def test_ids_outside_of_the_vocabulary_are_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="0 to 319"):
        TOKENIZER.decode(ids)
    with pytest.raises(ValueError, match="0 to 319"):
        TOKENIZER.token_bytes(ids)
