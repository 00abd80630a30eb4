"""A text while it is written: the pieces join to the answer that is not streamed, whatever the tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import harness.scoring.streaming as streaming
from harness.errors import UserError
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.models.reference import as_language_model
from harness.models.remembering import Remembering, can_remember
from harness.models.stand_in import StandIn
from harness.scoring.generation import Completed, TextRequest, complete_texts
from harness.scoring.streaming import Piece, open_at, stream_text
from harness.scoring.thinking import Parting, parted, thought_first
from reference_impl.model.config import GPTConfig
from reference_impl.text.characters import Characters
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import END, llama, sharp_gpt

TEXTS = ["東京は日本の首都。", "naïve café – ½ €", "The cat sat on the mat, do.\n\nA user said: hi.", "🙂🙃 ok"]
GPT = GPTConfig(vocabulary=320, context=64, layers=1, heads=2, width=16, tie_head=False)


def _ours(tokenizer: Any, seed: int) -> LanguageModel:
    config = replace(GPT, vocabulary=tokenizer.size)
    return as_language_model(sharp_gpt(config, 3, seed), tokenizer, ModelSource("m", "reference", "-", "d"))  # type: ignore[return-value]


def _theirs(folder: Path, tokenizer: Any) -> LanguageModel:
    """A random Llama with this tokenizer of the library `tokenizers`."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END)
    llama(vocab_size=len(wrapped)).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return open_model(ModelSource("llama", "transformers", str(folder), "d"))


def _byte_fallback() -> Any:
    """Pieces with U+2581 for a space, and a token for each byte: of a character that is no piece all bytes are."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    pieces = [END, *(f"<0x{byte:02X}>" for byte in range(256)), *"\u2581abcdehiost.:", "\u2581a", "\u2581the"]
    tokenizer = Tokenizer(models.BPE({p: n for n, p in enumerate(pieces)}, [("\u2581", "a")], byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([END])
    return tokenizer


def _word_pieces() -> Any:
    """Its decoder takes spaces away before full stops and the like."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = [END, "[UNK]", "the", "cat", "do", "n't", "not", "'", "s", ".", ",", "?", "##s", "##at", "##é", "a"]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([END])
    return tokenizer


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> dict[str, LanguageModel]:
    root = tmp_path_factory.mktemp("models")
    return {
        "byte pairs": _ours(ByteBPE.train(TEXTS, 300), 0),
        "bytes": _ours(ByteBPE.train(["a"], 257), 1),
        "characters": _ours(Characters.train(TEXTS), 2),
        "byte level of transformers": open_model(ModelSource("l", "transformers", str(llama_folder), "d")),
        "byte fallback": _theirs(root / "fallback", _byte_fallback()),
        "word pieces": _theirs(root / "words", _word_pieces()),
    }


KINDS = ("byte pairs", "bytes", "characters", "byte level of transformers", "byte fallback", "word pieces")
STOPS = ["a", "t", "\n", "\n\n", " a", "é", "京", "th", "e c", "\ufffd", "s.", "user", END, "at the"]
REQUESTS = st.builds(
    TextRequest,
    st.sampled_from(["The cat", "a", "the cat do", "東京"]),
    st.lists(st.sampled_from(STOPS), max_size=3).map(tuple),
    st.integers(1, 30),
    temperature=st.sampled_from([0.0, 0.7, 2.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    seed=st.integers(0, 50),
    thinking=st.sampled_from([(), (("a", "e"),)]),
)


def streamed(model: Any, request: TextRequest, sample: int = 0) -> tuple[list[Piece], Completed]:
    *pieces, whole = stream_text(model, request, sample)
    assert isinstance(whole, Completed)
    return pieces, whole  # type: ignore[return-value]


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_join_to_the_text_that_is_not_streamed(
    kind: str, models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SHARE", 0)  # looked at after every token
    model, drawn, early = models[kind], 0, 0

    @settings(max_examples=30, deadline=None)
    @given(REQUESTS)
    def check(request: TextRequest) -> None:
        nonlocal drawn, early
        [alone] = complete_texts(model, [request])
        assert isinstance(alone, Completed)
        pieces, whole = streamed(model, request)
        assert whole == alone
        if not request.thinking:
            assert "".join(piece.text for piece in pieces) == alone.texts[0]
            early += any(piece.text for piece in pieces[:-1])
        assert [piece.tokens for piece in pieces] == list(range(1, len(alone.answers[0].tokens) + 1))
        drawn += 1

    check()
    assert drawn >= 15 and early >= 3


class Scripted(StandIn):
    """A model that writes these tokens, whatever it reads, then ends."""

    def __init__(self, model: LanguageModel, script: list[int]) -> None:
        super().__init__(model)
        self._script, self._step = script, 0

    def new_cache(self, *given: Any, **named: Any) -> Any:
        self._step = 0
        return self._model.new_cache(*given, **named)

    def forward(self, *given: Any, **named: Any) -> torch.Tensor:
        logits = self._model.forward(*given, **named)
        next_id = self._script[self._step] if self._step < len(self._script) else self.tokenizer.eos_id
        self._step += 1
        logits[..., next_id] = 1e4
        return logits


WRITTEN = ["<think>", "</think>", "<thi", "</th", "<", "[T]", "[/T]", " ", "\n", "\n\n", "a", "Hi", "é", "京", "?\n\n"]
SCRIPTS = st.lists(st.sampled_from(WRITTEN), max_size=9).map("".join)
TAGS = (("<think>", "</think>"), ("[T]", "[/T]"))


def thinks(model: LanguageModel, text: str, parting: Parting, prompt: str, until: tuple[str, ...]) -> tuple[Any, Any]:
    """The pieces that are streamed, and the answer that is not, of a model that writes this text."""
    script = model.tokenizer.encode(text)
    scripted, ids = Scripted(model, script), tuple(model.tokenizer.encode(prompt))
    request = TextRequest(ids, until, max(len(script), 1), thinking=TAGS, parting=parting)
    [alone] = complete_texts(scripted, [request])
    assert isinstance(alone, Completed)
    pieces, whole = streamed(scripted, request)
    assert whole == alone
    return pieces, alone.answers[0]


@pytest.mark.parametrize("kind", ["byte pairs", "bytes", "byte level of transformers", "byte fallback"])
def test_answers_and_thoughts_are_streamed_as_they_are_unstreamed(
    kind: str, models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SHARE", 0)
    seen: set[str] = set()

    @settings(max_examples=120, deadline=None)
    @given(SCRIPTS, st.sampled_from(["a", "a<think>"]), st.sampled_from([(), ("\n\n",), ("i", "</")]))
    @example("Hi</think>a", "a", ())  # a stray closing tag
    @example("Hi <think>a", "a", ())  # a thought in an answer, never closed
    @example("  <think>a</think>\n\n<think>é</think> Hi", "a", ())
    def check(text: str, prompt: str, until: tuple[str, ...]) -> None:
        pieces, answer = thinks(models[kind], text, thought_first, prompt, until)
        assert "".join(piece.text for piece in pieces) == answer.text
        assert "".join(piece.thought for piece in pieces) == (answer.thought or "")
        seen.update(["text"] if any(piece.text for piece in pieces[:-1]) else [])
        seen.update(["thought"] if any(piece.thought for piece in pieces[:-1]) else [])

    check()
    assert seen == {"text", "thought"}, "some were shown before the end"


def test_a_closing_tag_that_takes_back_what_was_shown_is_caught(
    models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad request is parted as tasks part theirs."""
    monkeypatch.setattr(streaming, "SHARE", 0)
    pieces, answer = thinks(models["bytes"], "Hi</think>a", parted, "a", ())
    assert "".join(piece.text for piece in pieces) != answer.text


def test_a_piece_that_is_shown_too_early_is_caught(models: dict[str, LanguageModel], monkeypatch: Any) -> None:
    """The known-bad stream holds nothing back."""
    monkeypatch.setattr(streaming, "SHARE", 0)
    monkeypatch.setattr(streaming, "open_at", lambda text, strings: len(text))
    model = models["characters"]
    [plain] = complete_texts(model, [TextRequest("The cat", (), 30, temperature=2.0, seed=3)])
    assert isinstance(plain, Completed)
    request = TextRequest("The cat", (plain.texts[0][10:13],), 30, temperature=2.0, seed=3)
    pieces, whole = streamed(model, request)
    assert "".join(piece.text for piece in pieces) != whole.texts[0]


@pytest.mark.parametrize(
    ("text", "strings", "at"),
    [("abc", [], 3), ("abc", ["cd"], 2), ("abab", ["abac"], 2), ("aab", ["abc", "b\n"], 1), ("", ["a"], 0)],
)
def test_where_a_stop_string_may_have_begun(text: str, strings: list[str], at: int) -> None:
    assert open_at(text, strings) == at


def test_a_sample_is_that_of_the_request(models: dict[str, LanguageModel]) -> None:
    request = TextRequest("a", (), 12, temperature=1.0, seed=5, samples=3)
    [together] = complete_texts(models["byte pairs"], [request])
    assert isinstance(together, Completed)
    assert [streamed(models["byte pairs"], request, n)[1].texts[0] for n in range(3)] == together.texts


def test_beams_come_at_once(models: dict[str, LanguageModel]) -> None:
    request = TextRequest("a", (), 8, beams=3)
    [alone] = complete_texts(models["byte pairs"], [request])
    pieces, whole = streamed(models["byte pairs"], request)
    assert whole == alone and [piece.text for piece in pieces] == whole.texts


@pytest.mark.parametrize("new", [0, 64, 1000])
def test_a_request_that_can_not_be_served(models: dict[str, LanguageModel], new: int) -> None:
    with pytest.raises(UserError, match=r"at least 1|at most 63"):
        list(stream_text(models["byte pairs"], TextRequest("a", (), new)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_is_read_from_where_it_differs(kind: str, models: dict[str, LanguageModel]) -> None:
    model = models[kind]
    assert can_remember(model)
    kept, ids = Remembering(model), tuple(range(2, 12))
    for prompt in (ids, (*ids, 3, 4, 5), ids[:4], (*ids[:4], 9), (7,), ids, ids):
        request = TextRequest(prompt, (), 6, temperature=1.0, seed=1)
        [alone] = complete_texts(model, [request])
        [again], [answer] = streamed(kept, request)[1].answers, alone.answers
        assert replace(again, log_probs=answer.log_probs) == answer
        assert again.log_probs == pytest.approx(answer.log_probs, abs=1e-4), "passes of other lengths round differently"
    assert kept.reused == len(ids) - 1  # the last token is read for what follows it


def test_what_is_remembered_is_dropped_where_a_pass_is_cut_off(models: dict[str, LanguageModel]) -> None:
    model = models["byte level of transformers"]
    kept, request = Remembering(model), TextRequest((5, 6, 7, 8), (), 5)
    first = streamed(kept, request)[1]
    passes = iter(range(9))
    real = type(model).forward

    class Cut:
        """The model, whose second pass is interrupted when its layers have grown."""

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def forward(self, *args: Any, **named: Any) -> torch.Tensor:
            found: torch.Tensor = real.__get__(model)(*args, **named)
            if next(passes) == 1:
                raise KeyboardInterrupt
            return found

    kept._model = Cut()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        streamed(kept, request)
    assert streamed(kept, request)[1] == first and kept.reused == 0
