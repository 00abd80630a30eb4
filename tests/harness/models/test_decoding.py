"""Decoding through the contract: the same text as each library's own generation, for both kinds of model."""

from __future__ import annotations

import math
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import LanguageModel, ModelSource
from harness.models.decoding import (
    complete,
    complete_speculatively,
    continue_prompts,
    drawable_ids,
)
from harness.models.growing_cache import GrowingCache
from harness.models.open import open_model
from harness.models.reference import as_language_model
from harness.models.transformers import TransformersModel
from reference_impl.decoding import prefixes, running_batch
from reference_impl.decoding.generation import generate
from reference_impl.decoding.request import Request
from reference_impl.decoding.sampling import Sampling, distribution
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import sharp_gpt

FREE = {"temperature": 1.0, "top_k": None, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("llama", "transformers", str(llama_folder), "d"))


@pytest.fixture(scope="module")
def reference(tiny_tokenizer_file: Path) -> LanguageModel:
    config = GPTConfig(vocabulary=384, context=64, layers=2, heads=2, width=32, tie_head=False)  # 64 ids are padding
    tokenizer = ByteBPE.load(tiny_tokenizer_file)
    return as_language_model(sharp_gpt(config, 6), tokenizer, ModelSource("ref", "reference", "-", "d"))  # type: ignore[return-value]


def prompts(model: LanguageModel) -> list[list[int]]:
    return [model.tokenizer.encode(text) for text in ("The cat sat", "a", "def add(a, b):\n  ")]


def test_greedy_is_transformers_own(llama: LanguageModel, llama_folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32)
    found = complete(llama, [Request(prompt, 12) for prompt in prompts(llama)])
    for prompt, completion in zip(prompts(llama), found, strict=True):
        expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=None)
        assert list(completion.tokens) == expected[0, len(prompt) :].tolist()
        assert completion.text == llama.tokenizer.decode(list(completion.tokens))


@pytest.mark.parametrize("kind", ["llama", "reference"])
def test_a_batch_is_each_alone_while_rows_retire(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(kind)
    asked = [
        Request(prompt, new, Sampling(temperature=1.2, seed=3), frozenset({5, 80, 200}))
        for prompt, new in zip(prompts(model), (20, 3, 9), strict=True)
    ]
    alone = [complete(model, [one])[0] for one in asked]
    assert [c.tokens for c in complete(model, asked)] == [c.tokens for c in alone]


@pytest.mark.parametrize("kind", ["llama", "reference"])
def test_places_are_taken_again_and_beginnings_shared(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: LanguageModel = request.getfixturevalue(kind)
    shots = model.tokenizer.encode("The cat sat on the mat")
    asked = [
        Request([*(shots if seed % 2 else []), *range(5, 6 + seed)], 2 + seed % 5, Sampling(1.2, seed=seed))
        for seed in range(12)
    ] + [Request([7, 8, 9], 6, Sampling(1.2, seed=seed)) for seed in range(5)]
    alone = [complete(model, [one])[0] for one in asked]
    monkeypatch.setattr(prefixes, "WORTH_SHARING", 4)
    monkeypatch.setattr(running_batch, "SPARE", 2)
    for rows in (1, 3):
        found = generate(model, asked, vocabulary=drawable_ids(model), rows=rows)
        for one, other in zip(found, alone, strict=True):
            assert one.tokens == other.tokens
            assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)


def mistral(window: int) -> LanguageModel:
    """A random model whose layers look at the last `window` tokens."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=window, initializer_range=0.3,
    )  # fmt: skip
    identity = types.SimpleNamespace(vocabulary=97, context=64, device="cpu", name="mistral", cache=CacheBehavior())
    return TransformersModel(MistralForCausalLM(config).eval(), None, identity)  # type: ignore[arg-type]


def test_rows_of_a_sliding_window_are_put_together() -> None:
    model = mistral(8)
    asked = [Request(list(range(3, 3 + length)), 12) for length in (20, 3, 11, 6)]
    found = generate(model, asked, rows=2)
    for request, completion in zip(asked, found, strict=True):
        text = list(request.prompt)
        for _ in range(12):
            text.append(int(model.forward(torch.tensor([text]))[0, -1].argmax()))
        assert list(completion.tokens) == text[len(request.prompt) :]


def test_a_cache_that_keeps_no_tokens_apart_serves_one_at_a_time(llama: LanguageModel) -> None:
    """As of a model with a recurrent state: nothing can be copied out of it, so nothing is."""

    class Recurrent:
        config = llama.config
        forward = staticmethod(llama.forward)

        def new_cache(self, batch: int, length: int) -> Any:
            assert batch == 1
            return GrowingCache(llama.new_cache(batch, length).grown, batch, length, divisible=False)

    asked = [Request(prompt, 9, Sampling(seed=seed)) for seed in range(2) for prompt in prompts(llama)]
    found = generate(Recurrent(), asked)
    assert [c.tokens for c in found] == [c.tokens for c in generate(llama, asked)]


@pytest.mark.parametrize("kind", ["llama", "reference"])
def test_speculation_cuts_either_cache_back(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(kind)
    asked = Request(prompts(model)[0], 20)
    found = complete_speculatively(model, Disturbed(model), asked)  # type: ignore[arg-type]
    assert found.completion.tokens == complete(model, [asked])[0].tokens
    assert 0 < found.accepted < found.drafted


class Disturbed:
    """The same model with other logits at some positions: a draft that is sometimes right."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, tokens: Any, *rest: Any, **named: Any) -> Any:
        logits = self._model.forward(tokens, *rest, **named)
        return logits + logits.std() * (tokens[:, -1:, None] % 2) * torch.linspace(-2, 2, logits.shape[-1])


def test_a_draft_with_another_tokenizer_is_refused(llama: LanguageModel, reference: LanguageModel) -> None:
    with pytest.raises(UserError, match="the draft ref has another tokenizer than llama"):
        complete_speculatively(llama, reference, Request([1], 2))


def test_padded_ids_are_never_drawn(reference: LanguageModel) -> None:
    assert (drawable_ids(reference), reference.identity.vocabulary) == (320, 384)
    hot = complete(reference, [Request([1], 40, Sampling(temperature=50.0))])[0]
    assert max(hot.tokens) < 320
    assert len(complete(reference, [Request([320], 1)])[0].tokens) == 1, "a padded row can be read"
    with pytest.raises(UserError, match="token id 384 is not one of the model's, which are 0 to 383"):
        complete(reference, [Request([384], 1)])


def test_an_empty_prompt_stands_for_bos(reference: LanguageModel, llama: LanguageModel) -> None:
    begun = complete(reference, [Request([], 5), Request([3, 4], 5)])[0]
    assert begun.tokens == complete(reference, [Request([reference.tokenizer.bos_id or 0], 5)])[0].tokens

    class Mute:
        identity, tokenizer = llama.identity.model_copy(update={"start": ()}), llama.tokenizer

    with pytest.raises(UserError, match="llama: the prompt is empty and the tokenizer has no BOS"):
        complete(Mute(), [Request([], 5)])  # type: ignore[arg-type]


def test_entropies_are_those_of_one_pass_over_the_text(reference: LanguageModel) -> None:
    chosen = FREE | {"temperature": 0.8, "top_p": 0.9}
    begin = [[0, *prompt] for prompt in prompts(reference)]
    found = continue_prompts(reference, begin, 10, **chosen, seeds=[1, 2, 3], stop_at_end=False)  # type: ignore[arg-type]
    for prompt, continued in zip(begin, found, strict=True):
        text = torch.tensor([[*prompt, *continued.tokens]])
        logits = reference.forward(text)[0, len(prompt) - 1 : -1, :320]
        p, q = logits.double().softmax(-1), distribution(logits, Sampling(temperature=0.8, top_p=0.9))
        for expected, entropies in ((p, continued.entropies), (q, continued.drawn_entropies)):
            assert entropies == pytest.approx(torch.special.entr(expected).sum(-1).tolist(), abs=1e-4)
        drawn = p[torch.arange(10), list(continued.tokens)].log()
        assert continued.log_probs == pytest.approx(drawn.tolist(), abs=1e-4)


def test_an_end_is_no_token_of_the_text(reference: LanguageModel) -> None:
    class Ends:
        def __getattr__(self, name: str) -> Any:
            return getattr(reference, name)

        def forward(self, *given: Any, **named: Any) -> Any:
            logits = reference.forward(*given, **named)
            logits[..., 0] += 1000
            return logits

    for stop, tokens in ((True, ()), (False, (0, 0, 0))):
        found = continue_prompts(Ends(), [[5]], 3, **FREE, seeds=[0], stop_at_end=stop)[0]  # type: ignore[arg-type]
        assert (found.tokens, found.ended) == (tokens, stop)
        assert len(found.log_probs) == max(len(tokens), 1)


def test_a_window_that_slid_can_not_be_cut_back(llama: LanguageModel) -> None:
    class Sliding:
        layers = (type("Layer", (), {"is_sliding": True}),)

    cache = GrowingCache(Sliding())
    cache.advance(5)
    with pytest.raises(Unsupported, match="sliding-window"):
        cache.truncate(3)
    cache.truncate(5)
    assert isinstance(llama.new_cache(1, 4), GrowingCache)
    assert not math.isnan(float(llama.forward(torch.tensor([[1]])).sum()))
