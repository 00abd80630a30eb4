"""Defects that shipped in admired code. Each check of the harness must pass on the sound model and fail on its bad one:
a harness that passes a broken model is worse than none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from harness import corpora
from harness.measures import perplexity
from harness.measures.inference import INFERENCE, InferenceSettings, collect, summarize
from harness.measures.measure import Facts
from harness.measures.perplexity import PerplexitySettings
from harness.models.contract import LanguageModel, ModelSource
from harness.models.reference import as_language_model
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import trained_gpt

TEXT = [f"Zoë's café no. {n} is near the river; the château of naïve Zoë is {n % 7} miles away." for n in range(30)]
VOCABULARY = 320


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    tokenizer = ByteBPE.train(TEXT, VOCABULARY)
    gpt = trained_gpt(GPTConfig(vocabulary=VOCABULARY, context=64, layers=2, heads=2, width=32), tokenizer, TEXT, 20)
    return as_language_model(gpt, tokenizer, ModelSource("m", "reference", "-", "d"))


class Bad:
    """The sound model with one part replaced."""

    def __init__(self, model: LanguageModel, **replaced: Any) -> None:
        self._model = model
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._model, name)


def measured(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Metrics of `perplexity` on the texts."""
    monkeypatch.setattr(corpora, "documents", lambda text: TEXT)
    settings = PerplexitySettings(text="texts", window=64, stride=32)
    samples = pd.DataFrame(perplexity.collect(lambda: model, settings))
    found = perplexity.summarize(samples, settings, Facts(model.identity))
    return {item.metric.name: item.value for item in found}


def expected_loss(model: LanguageModel) -> float:
    """Nats per token by whole documents, one by one, full logits, float64: no window, no batch, no chunk."""
    nll, tokens = 0.0, 0
    for text in TEXT:
        ids = [0, *model.tokenizer.encode(text)][:64]
        log_probabilities = model.forward(torch.tensor([ids[:-1]]))[0].double().log_softmax(-1)
        nll -= float(log_probabilities[range(len(ids) - 1), ids[1:]].sum())
        tokens += len(ids) - 1
    return nll / tokens


def test_logits_gathered_one_position_late_are_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(tokens: Tensor, cache: Any = None, *args: Any, logits_at: Tensor | None = None, **kwargs: Any) -> Tensor:
        at = torch.arange(tokens.shape[1]) if logits_at is None else logits_at
        return model.forward(tokens, cache, *args, logits_at=(at - 1).clamp(min=0), **kwargs)

    def late_features(tokens: Tensor, cache: Any = None, *args: Any) -> Tensor:
        *given, at = args
        return model.features(tokens, cache, *given, (at - 1).clamp(min=0))  # type: ignore[attr-defined]

    sound = measured(model, monkeypatch)
    assert sound["loss"] == pytest.approx(expected_loss(model), rel=1e-5)
    for bad in (Bad(model, forward=late, head_is_apart=False), Bad(model, features=late_features)):
        assert measured(bad, monkeypatch)["loss"] > 1.5 * sound["loss"]  # type: ignore[arg-type]


def test_bytes_counted_as_characters_are_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(found: dict[str, float]) -> bool:
        """Bits per byte times the bytes of the raw text is the whole negative log-likelihood in bits."""
        raw = sum(len(text.encode()) for text in TEXT)
        bits = found["loss"] * found["tokens_scored"] / math.log(2)
        return math.isclose(found["bits_per_byte"] * raw, bits, rel_tol=1e-9)

    sound = measured(model, monkeypatch)
    characters = sum(len(text) for text in TEXT)
    bits = sound["loss"] * sound["tokens_scored"] / math.log(2)
    assert check(sound)
    assert not check(sound | {"bits_per_byte": bits / characters})


def test_left_padding_without_positions_is_seen(model: LanguageModel) -> None:
    def check(forward: Callable[..., Tensor]) -> bool:
        """The last logits of a left-padded row are those of the row alone."""
        ids = model.tokenizer.encode(TEXT[0])[:12]
        alone = forward(torch.tensor([ids]))[0, -1]
        padded, mask = torch.tensor([[0] * 5 + ids]), torch.tensor([[0] * 5 + [1] * len(ids)])
        return bool(torch.allclose(forward(padded, attention_mask=mask)[0, -1], alone, atol=1e-4))

    def without_positions(tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        positions = torch.arange(tokens.shape[1]).expand_as(tokens)
        return model.forward(tokens, positions=positions, attention_mask=attention_mask)

    assert check(model.forward)
    assert not check(without_positions)


def test_a_cache_that_forgets_is_seen(model: LanguageModel) -> None:
    def check(forward: Callable[..., Tensor]) -> bool:
        """Prefill and decode with a cache give the logits of one pass without."""
        ids = torch.tensor([model.tokenizer.encode(TEXT[1])[:20]])
        cache = model.new_cache(1, 20)
        parts = [forward(ids[:, :12], cache=cache), *(forward(ids[:, t : t + 1], cache=cache) for t in range(12, 20))]
        return bool(torch.allclose(torch.cat(parts, dim=1), model.forward(ids), atol=1e-4))

    def forgetful(tokens: Tensor, cache: Any = None) -> Tensor:
        return model.forward(tokens, cache=cache if tokens.shape[1] > 1 else None)

    assert check(model.forward)
    assert not check(forgetful)


def test_hidden_work_in_the_forward_pass_is_seen(model: LanguageModel) -> None:
    import time

    def slow(*args: Any, **kwargs: Any) -> Tensor:
        time.sleep(0.1)
        return model.forward(*args, **kwargs)

    settings = InferenceSettings(prompt=8, generate=4, iterations=3, warmup=1)

    def tpot(measured_model: LanguageModel) -> float:
        samples = pd.DataFrame(collect(lambda: measured_model, settings))
        found = summarize(samples, settings, Facts(model.identity))
        return next(item.value for item in found if item.metric.name == "tpot")

    assert INFERENCE.isolated
    assert tpot(model) < 100 <= tpot(Bad(model, forward=slow))  # type: ignore[arg-type]


def test_an_untrained_model_stays_at_chance(monkeypatch: pytest.MonkeyPatch, model: LanguageModel) -> None:
    torch.manual_seed(1)
    untrained = GPT(GPTConfig(vocabulary=VOCABULARY, context=64, layers=2, heads=2, width=32)).eval()
    chance = as_language_model(untrained, model.tokenizer, ModelSource("u", "reference", "-", "d"))  # type: ignore[arg-type]
    assert measured(chance, monkeypatch)["loss"] == pytest.approx(math.log(VOCABULARY), abs=0.1)
    assert measured(model, monkeypatch)["loss"] < 0.7 * math.log(VOCABULARY)
