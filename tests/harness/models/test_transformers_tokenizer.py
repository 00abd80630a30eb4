"""The tokenizer's face: ids without extras, whether a BOS comes by itself, and bytes that add up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, processors

from harness.models.transformers_tokenizer import TransformersTokenizer


@pytest.fixture(scope="module")
def byte_level(llama_folder: Path) -> TransformersTokenizer:
    from transformers import AutoTokenizer

    return TransformersTokenizer(AutoTokenizer.from_pretrained(llama_folder))


def sentencepiece_like(add_bos: bool) -> TransformersTokenizer:
    """As Llama 2's: a space before the text, ▁ for spaces, single bytes as <0x..>, BOS in front."""
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "<s>", *(f"<0x{i:02X}>" for i in range(256)), "▁", "a", "b", "▁a", "é"]
    definition = Tokenizer(
        models.BPE(
            vocab={piece: i for i, piece in enumerate(pieces)},
            merges=[("▁", "a")],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    definition.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    definition.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    if add_bos:
        definition.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
        )
    return TransformersTokenizer(
        PreTrainedTokenizerFast(tokenizer_object=definition, bos_token="<s>", unk_token="<unk>")
    )


@given(st.text().filter(lambda text: "<|endoftext|>" not in text))
def test_bytes_add_up_for_byte_level_tokenizers(byte_level: TransformersTokenizer, text: str) -> None:
    ids = byte_level.encode(text)
    assert sum(byte_level.token_bytes(ids)) == len(text.encode())
    assert byte_level.decode(ids) == text


def test_bytes_of_sentencepiece_tokens() -> None:
    tokenizer = sentencepiece_like(add_bos=True)
    ids = tokenizer.encode("a é中b")
    assert tokenizer.token_bytes(ids) == [2, 1, 2, 1, 1, 1, 1], "▁a, ▁, é, three bytes of 中, b"
    assert tokenizer.token_bytes([1]) == [0], "special tokens stand for no text"


@pytest.mark.parametrize("add_bos", [True, False])
def test_whether_bos_comes_by_itself(add_bos: bool) -> None:
    tokenizer = sentencepiece_like(add_bos)
    assert tokenizer.prefix == ((1,) if add_bos else ())
    assert tokenizer.suffix == ()
    assert tokenizer.bos_id == 1
    assert 1 not in tokenizer.encode("a"), "encode never adds it"


def test_the_digest_is_the_definitions(
    byte_level: TransformersTokenizer, llama_folder: Path, gpt2_folder: Path
) -> None:
    from transformers import AutoTokenizer

    assert byte_level.digest == TransformersTokenizer(AutoTokenizer.from_pretrained(gpt2_folder)).digest
    assert sentencepiece_like(True).digest != sentencepiece_like(False).digest
    assert byte_level.size == 320


def test_ids_between_which_some_have_no_token() -> None:
    from transformers import PreTrainedTokenizerFast

    definition = Tokenizer(models.WordLevel({"<unk>": 0, "river": 7}, unk_token="<unk>"))
    tokenizer = TransformersTokenizer(PreTrainedTokenizerFast(tokenizer_object=definition, unk_token="<unk>"))
    assert tokenizer.encode("river") == [7] and tokenizer.size == 8
    assert tokenizer.token_bytes([7, 3]) == [5, 0]
