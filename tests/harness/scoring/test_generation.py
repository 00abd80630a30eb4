"""Texts that a model writes: each request as if alone, cut where it says, whatever is served beside it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.models.contract import LanguageModel, ModelSource
from harness.models.decoding import drawable_ids
from harness.models.open import open_model
from harness.models.reference import as_language_model
from harness.scoring.document_encoder import DocumentEncoder
from harness.scoring.generation import (
    CACHE_BYTES,
    Completed,
    Refused,
    TextRequest,
    complete_texts,
    context_ids,
    rows_at_once,
    sample_seed,
)
from harness.scoring.stops import cut_at_stops
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import sharp_gpt

END = "<|endoftext|>"


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("llama", "transformers", str(llama_folder), "d"))


@pytest.fixture(scope="module")
def gpt2(gpt2_folder: Path) -> LanguageModel:
    return open_model(ModelSource("gpt2", "converted", str(gpt2_folder), "d"))


@pytest.fixture(scope="module")
def reference(tiny_tokenizer_file: Path) -> LanguageModel:
    config = GPTConfig(vocabulary=384, context=64, layers=2, heads=2, width=32, tie_head=False)
    tokenizer = ByteBPE.load(tiny_tokenizer_file)
    return as_language_model(sharp_gpt(config, 6), tokenizer, ModelSource("ref", "reference", "-", "d"))  # type: ignore[return-value]


MODELS = pytest.mark.parametrize("kind", ["llama", "gpt2", "reference"])


def answered(model: LanguageModel, *requests: TextRequest, **given: Any) -> list[Completed]:
    found = complete_texts(model, requests, **given)
    assert all(isinstance(done, Completed) for done in found)
    return found  # type: ignore[return-value]


def slowly(model: LanguageModel, request: TextRequest) -> str:
    """Greedy, one token at a time over the whole text again; the text is looked at after each."""
    assert isinstance(request.context, str)
    ids = list(context_ids(DocumentEncoder(model), request.context))
    begun, stops = len(ids), [*request.until, END]
    text = ""
    for _ in range(request.max_new):
        logits = model.forward(torch.tensor([ids]))[0, -1, : drawable_ids(model)]
        ids.append(int(logits.argmax()))
        if ids[-1] in model.identity.end_ids:
            break
        text = model.tokenizer.decode(ids[begun:])
        if any(stop in text for stop in stops):
            break
    return cut_at_stops(text, stops)


CONTEXTS = ["The cat sat", "a", "def add(a, b):\n  ", "The cat sat on the mat", "東京"]
REQUESTS = st.builds(
    TextRequest,
    st.sampled_from(CONTEXTS),
    st.lists(st.sampled_from(["a", "t", "\n", " sat", "é", "th", " a"]), max_size=2).map(tuple),
    st.integers(0, 12),
)


@MODELS
def test_texts_are_those_of_one_at_a_time(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(kind)

    @settings(max_examples=6, deadline=None)
    @given(st.lists(REQUESTS, max_size=8))
    def check(requests: list[TextRequest]) -> None:
        assert [done.texts for done in answered(model, *requests)] == [[slowly(model, one)] for one in requests]

    check()


def drawn_requests() -> list[TextRequest]:
    return [
        TextRequest(
            *(CONTEXTS[n % 5], ("t",) if n % 3 else (), 4 + n % 7, 0.9, 0.95),
            samples=1 + n % 3,
            seed=7,
            task="task",
            document=n,
        )
        for n in range(10)
    ]


@MODELS
def test_order_and_company_change_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(kind)
    requests = drawn_requests()
    straight = answered(model, *requests)
    order = random.Random(3).sample(range(10), 10)
    for part in (order, order[:4], [6]):
        found = answered(model, *(requests[place] for place in part))
        for place, done in zip(part, found, strict=True):
            assert done.texts == straight[place].texts
            assert [a.tokens for a in done.answers] == [a.tokens for a in straight[place].answers]


def test_what_was_finished_before_a_kill_need_not_be_done_again(reference: LanguageModel) -> None:
    requests, journal = drawn_requests(), {}

    class Killed(Exception):
        pass

    def note(place: int, done: Completed | Refused) -> None:
        journal[place] = done
        if len(journal) == 4:
            raise Killed

    with pytest.raises(Killed):
        complete_texts(reference, requests, note)
    left = [place for place in range(10) if place not in journal]
    assert len(left) == 6, "told as soon as they were done, not at the end"
    rest = complete_texts(reference, [requests[place] for place in left])
    resumed = journal | dict(zip(left, rest, strict=True))
    straight = complete_texts(reference, requests)
    for place, done in enumerate(straight):
        assert isinstance(done, Completed)
        assert resumed[place].texts == done.texts  # type: ignore[union-attr]


def test_every_request_is_told_once(reference: LanguageModel) -> None:
    told: list[int] = []
    requests = [*drawn_requests(), TextRequest("a", (), 0), TextRequest("a", (), 99)]
    complete_texts(reference, requests, lambda place, done: told.append(place))
    assert sorted(told) == list(range(12))


def test_samples_are_drawn_apart_and_by_their_key_alone(reference: LanguageModel) -> None:
    asked = TextRequest("The cat", (), 8, temperature=1.0, samples=5, seed=1, task="t", document=3)
    found = answered(reference, asked)[0]
    assert len(set(found.texts)) == 5
    fewer, other = answered(reference, replace(asked, samples=2), replace(asked, document=4))
    assert fewer.texts == found.texts[:2]
    assert not set(other.texts) & set(found.texts)
    keys = {sample_seed(s, t, d, n) for s in (0, 1) for t in ("a", "b") for d in (0, 1) for n in (0, 1)}
    assert len(keys) == 16


def test_greedy_samples_are_computed_once(reference: LanguageModel) -> None:
    class Counting:
        positions = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(reference, name)

        def forward(self, tokens: Any, *rest: Any, **named: Any) -> Any:
            Counting.positions += tokens.numel()
            return reference.forward(tokens, *rest, **named)

    found = answered(Counting(), TextRequest("a", (), 5, samples=4))[0]  # type: ignore[arg-type]
    assert len(found.texts) == 4
    assert Counting.positions == 2 + 4, "BOS and a letter, then what is drawn but the last"


class Speaks:
    """Writes these tokens whatever it reads."""

    def __init__(self, model: LanguageModel, tokens: list[int], prompt: int) -> None:
        self._model, self._tokens, self._prompt = model, tokens, prompt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, tokens: Any, cache: Any = None, *rest: Any, **named: Any) -> Any:
        logits = self._model.forward(tokens, cache, *rest, **named)
        held = cache.length
        logits[..., self._tokens[held - self._prompt]] += 10_000
        return logits


def test_why_an_answer_ended_is_told(reference: LanguageModel) -> None:
    tokenizer = reference.tokenizer
    end, words = tokenizer.eos_id, tokenizer.encode(" cat sat. the")
    assert end is not None
    prompt = len(context_ids(DocumentEncoder(reference), "The"))
    speaks = Speaks(reference, [*words, end, end], prompt)
    asked = TextRequest("The", (), len(words) + 2)
    texts = {}
    for request in (asked, replace(asked, until=("sat.",)), replace(asked, max_new=len(words))):
        done = answered(speaks, request)[0].answers[0]  # type: ignore[arg-type]
        texts[done.finish] = done.text
        assert len(done.log_probs) == len(done.tokens)
    assert texts == {"end": " cat sat. the", "stop_string": " cat ", "length": " cat sat. the"}


def test_special_tokens_are_no_text_but_can_stop(llama: LanguageModel) -> None:
    """The end of text is the tokenizer's only special token: here the model doesn't end with it."""
    special = llama.tokenizer.eos_id
    assert special is not None

    class Model:
        identity = llama.identity.model_copy(update={"end_ids": (), "end_strings": ()})

        def __getattr__(self, name: str) -> Any:
            return getattr(speaks, name)

    words = llama.tokenizer.encode(" cat")
    speaks = Speaks(llama, [*words, special, *words], len(llama.tokenizer.encode("The")))
    going, stopped = answered(
        Model(),  # type: ignore[arg-type]
        TextRequest("The", (), 2 * len(words) + 1),
        TextRequest("The", (END,), 2 * len(words) + 1),
    )
    assert going.texts == [" cat cat"]
    assert (stopped.texts, stopped.answers[0].finish) == ([" cat"], "stop_string")


def test_stops_cut_in_turn() -> None:
    assert cut_at_stops("one\n\ntwo. three", (".", "\n\n", "")) == "one"
    assert cut_at_stops("abcde", ("cd", "bc")) == "ab"
    assert cut_at_stops("abcde", ("bcd", "cde")) == "a"
    assert cut_at_stops(" x ", ("y",)) == " x ", "and nothing is stripped"


def test_a_long_context_loses_its_left_but_not_its_bos(llama: LanguageModel, reference: LanguageModel) -> None:
    text = "The cat sat on the mat. " * 20
    whole = llama.tokenizer.encode(text)
    done, short = answered(llama, TextRequest(text, (), 10), TextRequest("a", (), 10))
    assert done.prompt == tuple(whole[-54:])
    assert (done.cut, short.cut) == (len(whole) - 54, 0)
    assert reference.identity.prefix == (reference.tokenizer.bos_id,)
    begun = [reference.tokenizer.bos_id, *reference.tokenizer.encode(text)]
    right = answered(reference, TextRequest(text, (), 10))[0]
    theirs = answered(reference, TextRequest(text, (), 10), mode="lm-eval")[0]
    assert right.prompt == (begun[0], *begun[-53:])
    assert theirs.prompt == tuple(begun[-54:])
    assert right.cut == theirs.cut == len(begun) - 54


def test_a_bad_request_is_refused_alone(reference: LanguageModel) -> None:
    good = TextRequest("The cat", (), 3)
    found = complete_texts(
        reference,
        [
            good,
            TextRequest("a", (), 64),
            TextRequest("a", (), 3, temperature=-1.0),
            TextRequest("a", (), 3, samples=0),
            TextRequest((999,), (), 3),
            TextRequest((), (), 3),
            good,
        ],
    )
    assert isinstance(found[0], Completed)
    assert found[0] == found[-1]
    reasons = [done.reason for done in found[1:-1] if isinstance(done, Refused)]
    expected = [
        "no room for the prompt",
        "temperature must",
        "samples must",
        "token id 999 is not one of the model's",
        "empty",
    ]
    assert [wanted in reason for wanted, reason in zip(expected, reasons, strict=True)] == [True] * 5, reasons


def test_an_empty_context_begins_a_document(reference: LanguageModel) -> None:
    assert answered(reference, TextRequest("", (), 3))[0].prompt == (reference.tokenizer.bos_id,)

    class Bare:
        identity = reference.identity.model_copy(update={"prefix": (), "start": ()})
        tokenizer = reference.tokenizer

    with pytest.raises(ValueError, match="the context is empty: the tokenizer has neither BOS nor EOS"):
        context_ids(DocumentEncoder(Bare()), "")  # type: ignore[arg-type]


def test_damaged_weights_end_the_run(reference: LanguageModel) -> None:
    class Damaged:
        def __getattr__(self, name: str) -> Any:
            return getattr(reference, name)

        def forward(self, *given: Any, **named: Any) -> Any:
            return reference.forward(*given, **named) * torch.nan

    with pytest.raises(UserError, match="ref: the model's logits are not numbers"):
        complete_texts(Damaged(), [TextRequest("a", (), 3)])  # type: ignore[arg-type]


def test_rows_by_the_memory_of_their_cache(reference: LanguageModel) -> None:
    identity = reference.identity
    assert rows_at_once(identity, 64) == 16
    heavy = identity.model_copy(update={"kv_bytes_per_token": CACHE_BYTES // 1000})
    assert [rows_at_once(heavy, longest) for longest in (100, 500, 5000)] == [10, 2, 1]
    assert rows_at_once(identity.model_copy(update={"device": "cuda:0"}), 64) == 64
