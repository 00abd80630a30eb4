"""Stop strings that special tokens are a part of: where an answer ends, and what it says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.models.transformers_tokenizer import TransformersTokenizer
from harness.scoring.generation import Completed, TextRequest, complete_texts
from harness.scoring.special_text import SpecialText
from harness.scoring.written_answer import WrittenAnswer
from tests.tiny_models import byte_tokenizer

TURN = "<|im_end|>"
WRITTEN = f"5{TURN}\n789"
TAGS = (("<think>", "</think>"),)


@pytest.fixture(scope="module")
def tokenizer() -> TransformersTokenizer:
    """A token for each byte; two special ones and two tags, one of them special."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(), eos_token="<|endoftext|>")
    fast.add_tokens([AddedToken(TURN, special=True), AddedToken("<think>", special=True), AddedToken("</think>")])
    return TransformersTokenizer(fast)


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("llama", "transformers", str(llama_folder), "d"))


def answer(
    llama: LanguageModel, tokenizer: TransformersTokenizer, text: str, until: tuple[str, ...], **said: Any
) -> WrittenAnswer:
    """What a model that writes this text gives."""
    tokens, mode = tokenizer.encode(text), said.pop("mode", "right")

    class Model:
        identity = llama.identity.model_copy(
            update={"end_ids": (tokenizer.eos_id,), "end_strings": ("<|endoftext|>",), "generate_end_ids": ()}
        )

        def __getattr__(self, name: str) -> Any:
            return tokenizer if name == "tokenizer" else getattr(llama, name)

        def forward(self, read: torch.Tensor, cache: Any = None, *rest: Any, **named: Any) -> Any:
            logits = llama.forward(read, cache, *rest, **named)
            logits[..., tokens[min(cache.length - 1, len(tokens) - 1)]] += 10_000
            return logits

    request = TextRequest("Q", until, said.pop("max_new", len(tokens)), **said)
    [found] = complete_texts(Model(), [request], mode=mode)  # type: ignore[arg-type]
    assert isinstance(found, Completed)
    return found.answers[0]


CASES = [
    # text, until, right, lm-eval 0.4.13
    (WRITTEN, (f"{TURN}\n",), "5", "5\n"),
    (WRITTEN, ("<|",), "5", "5"),
    (WRITTEN, (TURN,), "5", "5"),
    (WRITTEN, ("5\n",), "", ""),
    (WRITTEN, ("end|>\n7",), "5", "5\n7"),
    (WRITTEN, ("\n78",), "5", "5"),
    (WRITTEN, (f"5{TURN}",), "", "5"),
    (WRITTEN, ("",), "5\n789", "5"),
    (WRITTEN, (), "5\n789", "5\n789"),
    (WRITTEN, ("8", "<|"), "5", "5"),
    (f"a{TURN}b{TURN}cdefghijkl", (f"b{TURN}c",), "a", "abc"),
    (f"5 {TURN} x{TURN}yz", ("x<",), "5  ", "5  x"),
    (f"東{TURN}京都", (f"{TURN}京",), "東", "東京"),
    (f"a{TURN}<|im_end|", ("zz",), "a<|im_end|", "a<|im_end|"),
    ("abcdefg", ("cde", "bcd"), "a", "a"),
]


@pytest.mark.parametrize(("text", "until", "right", "lm_eval"), CASES)
def test_where_an_answer_ends(
    llama: LanguageModel,
    tokenizer: TransformersTokenizer,
    text: str,
    until: tuple[str, ...],
    right: str,
    lm_eval: str,
) -> None:
    assert answer(llama, tokenizer, text, until).text == right
    assert answer(llama, tokenizer, text, until, mode="lm-eval").text == lm_eval


def test_it_ends_as_soon_as_the_stop_string_is_whole(llama: LanguageModel, tokenizer: TransformersTokenizer) -> None:
    for mode in ("right", "lm-eval"):
        found = answer(llama, tokenizer, WRITTEN, (f"{TURN}\n",), mode=mode)
        assert (len(found.tokens), found.finish) == (3, "stop_string")
    assert answer(llama, tokenizer, WRITTEN, (f"{TURN}\n",), beams=2).text == "5"


def test_lm_eval_looks_at_the_last_tokens_alone(llama: LanguageModel, tokenizer: TransformersTokenizer) -> None:
    """The stop string is one token there, and the model spells it out in ten."""
    spelled = SimpleNamespace(encode=lambda text: [i for part in text for i in tokenizer.encode(part)])
    text = f"5{TURN}67"
    tokens = spelled.encode(text)
    assert len(tokens) == len(text)
    wrapped = SimpleNamespace(encode=spelled.encode)

    class Spelling:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def encode(self, asked: str) -> list[int]:
            return wrapped.encode(asked) if asked == text else tokenizer.encode(asked)

    right = answer(llama, Spelling(), text, (TURN,))  # type: ignore[arg-type]
    lm_eval = answer(llama, Spelling(), text, (TURN,), mode="lm-eval")  # type: ignore[arg-type]
    assert (right.text, len(right.tokens)) == ("5", 11)
    assert (lm_eval.text, len(lm_eval.tokens)) == ("5", 13)


@pytest.mark.parametrize(
    ("text", "until", "thought", "said"),
    [
        (f"<think>a{TURN}b</think>{TURN}\n5{TURN}\n7", (f"5{TURN}",), "ab", ""),
        (f"<think>a{TURN}\nb</think>\n5{TURN}\n7", (f"{TURN}\n",), "a\nb", "5"),
        (f"<think>a</think>{TURN}\n5<|im", ("<|i",), "a", ""),
        (f"5{TURN}\n7", ("<|",), None, "5"),
    ],
)
def test_stops_after_a_thought(
    llama: LanguageModel,
    tokenizer: TransformersTokenizer,
    text: str,
    until: tuple[str, ...],
    thought: str | None,
    said: str,
) -> None:
    found = answer(llama, tokenizer, text, until, thinking=TAGS)
    assert (found.thought, found.text) == (thought, said)


PIECES = st.lists(st.sampled_from(["a", " ", "\n", "é", "東", "<", "|", TURN, "<think>", "</think>"]), max_size=12)


@given(PIECES, st.integers(0, 40))
def test_marks_change_nothing_else(tokenizer: TransformersTokenizer, pieces: list[str], upto: int) -> None:
    text = "".join(pieces)
    ids = tokenizer.encode(text)[:upto]
    texts = SpecialText(tokenizer, TAGS)
    marked = texts.marked(ids)
    assert texts.spelled(marked) == tokenizer.decode(ids)
    assert texts.without_marks(marked) == texts.plain(ids)
    assert len(texts.spelled(marked)) == len(marked)


def test_a_character_around_a_special_token(tokenizer: TransformersTokenizer) -> None:
    first, *rest = tokenizer.encode("é")
    ids = [*tokenizer.encode("x"), first, *tokenizer.encode(TURN), *rest]
    texts = SpecialText(tokenizer)
    marked = texts.marked(ids)
    assert texts.without_marks(marked) == "xé"
    assert texts.spelled(marked) == f"x{TURN}é"
