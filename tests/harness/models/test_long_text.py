"""A text in pieces gives the tokens of the whole text, whatever the tokenizer does at the ends of a piece."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from harness.models import long_text
from harness.models.transformers_tokenizer import TransformersTokenizer

WORDS = (
    *("the", "river", "was", "cold", "and", "Small", "boats", "went", "down", "to", "the", "mill,", "where", "3"),
    *("people", "(or", "40)", "sold", "bread.\n", "naïve", "漢字", "🙂", "  ", "\n\n", "\t"),
)


def text(length: int, seed: int = 0) -> str:
    drawn = random.Random(seed)
    words = " ".join(drawn.choice(WORDS) for _ in range(length))
    return " " + words + "  \n"


def trained(kind: str) -> TransformersTokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = {"special_tokens": ["<unk>"]}
    if kind == "byte level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    elif kind == "no words":  # merges run over the whole text, as in Llama's
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        trainer = trainers.BpeTrainer(vocab_size=300, max_token_length=8, **special)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", **special)
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=150, **special)
    tokenizer.train_from_iterator([text(2000, 9)], trainer)
    return TransformersTokenizer(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    def set_sizes(piece: int, overlap: int) -> None:
        monkeypatch.setattr(long_text, "PIECE", piece)
        monkeypatch.setattr(long_text, "OVERLAP", overlap)

    return set_sizes


@pytest.mark.parametrize("kind", ["byte level", "no words", "unigram", "wordpiece"])
def test_pieces_give_what_the_whole_gives(kind: str, small: Callable[[int, int], None]) -> None:
    tokenizer = trained(kind)
    whole = [tokenizer.encode(text(500, seed)) for seed in range(6)]
    for seed in range(6):
        small(1000 + 37 * seed, 600)
        found = long_text.encode_in_pieces(tokenizer._with_places, text(500, seed))
        assert found == whole[seed] and len(found) > 300
        assert tokenizer.encode(text(500, seed)) == whole[seed]


def test_a_text_without_a_place_to_join_is_read_whole(small: Callable[[int, int], None]) -> None:
    """One long word that only a whole reading can cut: pieces begin in the middle of its tokens."""
    tokenizer = trained("no words")
    small(300, 40)
    assert long_text.encode_in_pieces(tokenizer._with_places, text(200)) is None, "too few tokens to agree on"
    assert tokenizer.encode(text(200)) == tokenizer._with_places(text(200))[0]


def test_known_bad_pieces_side_by_side_are_other_tokens(small: Callable[[int, int], None]) -> None:
    """Cutting a text and putting the tokens together is not the same: that is what the overlap is for."""
    tokenizer = trained("byte level")
    whole = tokenizer.encode(text(500))
    cut = [token for at in range(0, len(text(500)), 500) for token in tokenizer.encode(text(500)[at : at + 500])]
    assert cut != whole
