import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.text.shards import HEADER_BYTES, CorruptShard, open_shard, write_shard

DIGEST = "d" * 64


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "train.tokens"
    write_shard(path, [np.arange(500, dtype=np.uint16)] * 2, vocabulary=500, tokenizer_digest=DIGEST)
    return path


@given(st.lists(st.lists(st.integers(0, 69_999), max_size=20), max_size=5), st.booleans())
def test_what_was_written_is_mapped(tmp_path_factory, pieces: list[list[int]], wide: bool) -> None:
    path = tmp_path_factory.mktemp("shards") / "a.tokens"
    vocabulary = 70_000 if wide else 1000
    arrays = [np.array(piece, dtype=np.uint32) % vocabulary for piece in pieces]
    header = write_shard(path, arrays, vocabulary=vocabulary, tokenizer_digest=DIGEST)
    tokens = open_shard(path, DIGEST)
    assert tokens.tolist() == [token for array in arrays for token in array.tolist()]
    assert header.count == len(tokens)
    assert tokens.dtype.itemsize == (4 if wide else 2)


def test_tokens_stay_on_disk_and_are_read_only(shard) -> None:
    tokens = open_shard(shard, DIGEST)
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1


def test_nothing_is_left_when_writing_fails(tmp_path) -> None:
    def pieces():
        yield np.arange(10, dtype=np.uint16)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "a.tokens", pieces(), vocabulary=10, tokenizer_digest=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_a_token_outside_of_the_vocabulary_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="token 10 is outside of a vocabulary of 10"):
        write_shard(tmp_path / "a", [np.array([10], dtype=np.uint16)], vocabulary=10, tokenizer_digest=DIGEST)


def test_a_cut_off_shard_is_refused(shard) -> None:
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(CorruptShard, match=r"train\.tokens: it has 6094 bytes where 1000 tokens need 6096"):
        open_shard(shard, DIGEST)


def test_one_wrong_bit_is_refused(shard) -> None:
    data = bytearray(shard.read_bytes())
    data[HEADER_BYTES + 777] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorruptShard, match=r"don't match their SHA-256; write it again"):
        open_shard(shard, DIGEST)


@pytest.mark.parametrize("content", [b"", b"GPTSHARD", b"something else entirely", b"GPTSHARD{}".ljust(4096)])
def test_what_is_no_shard_is_refused(tmp_path, content: bytes) -> None:
    (tmp_path / "a.tokens").write_bytes(content)
    with pytest.raises(CorruptShard, match=r"a\.tokens"):
        open_shard(tmp_path / "a.tokens", DIGEST)


def test_tokens_of_another_tokenizer_are_refused(shard) -> None:
    with pytest.raises(CorruptShard, match="made by tokenizer dddddddddddd, not by eeeeeeeeeeee"):
        open_shard(shard, "e" * 64)


def test_another_version_is_refused(shard) -> None:
    data = shard.read_bytes()
    header = json.loads(data[8:HEADER_BYTES]) | {"version": 2}
    shard.write_bytes((b"GPTSHARD" + json.dumps(header).encode()).ljust(HEADER_BYTES) + data[HEADER_BYTES:])
    with pytest.raises(CorruptShard, match="a shard of version 2"):
        open_shard(shard, DIGEST)
