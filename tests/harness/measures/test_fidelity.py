"""Fidelity: against the obvious computation, and the control of a model against itself."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from harness import corpora
from harness.errors import Unsupported, UserError
from harness.measures.fidelity import FIDELITY, FidelitySettings, collect, summarize
from harness.measures.measure import Facts, Sample
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.reference import as_language_model
from harness.results.record import Measurement
from harness.scoring import divergence, head_slices
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.divergence import divergences, greedy
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE

TEXT = [f"Zoë's café no. {n} is near the river; the château of naïve Zoë is {n % 7} miles away." for n in range(24)]
VOCABULARY = 300


@pytest.fixture(scope="module")
def gpt() -> GPT:
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(vocabulary=VOCABULARY, context=64, layers=2, heads=2, width=32))
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.mul_(3)  # an untrained model is nearly uniform, and then everything agrees by chance
    return gpt.eval()


@pytest.fixture(scope="module")
def tokenizer() -> ByteBPE:
    return ByteBPE.train(TEXT, VOCABULARY)


def at(gpt: GPT, tokenizer: ByteBPE, precision: Precision) -> LanguageModel:
    return as_language_model(copy.deepcopy(gpt), tokenizer, ModelSource("m", "reference", "-", "d", precision))


def measured(
    model: LanguageModel,
    baseline: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    texts: list[str] = TEXT,
    **given: Any,
) -> tuple[list[Sample], dict[str, Measurement]]:
    monkeypatch.setattr(corpora, "documents", lambda text: texts)
    settings = FidelitySettings.model_validate({"text": "texts", "prompt": 8, "generate": 12, **given})
    asked: list[Precision | None] = []

    def load(precision: Precision | None = None) -> LanguageModel:
        asked.append(precision)
        return model if precision is None else baseline

    samples = collect(load, settings)
    assert set(asked) == {None, "fp32"}
    return samples, {m.metric.name: m for m in summarize(pd.DataFrame(samples), settings, Facts(model.identity))}


def test_a_model_is_exactly_itself(gpt: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch) -> None:
    model = at(gpt, tokenizer, "fp32")
    _, found = measured(model, model, monkeypatch)
    assert {name: item.value for name, item in found.items()} == {
        "loss_change": 0.0,
        "kl_mean": 0.0,
        "kl_median": 0.0,
        "kl_p99": 0.0,
        "top1_agreement": 1.0,
        "first_divergence": 12.0,
    }


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_numbers_are_those_of_the_obvious_computation(
    gpt: GPT, tokenizer: ByteBPE, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, baseline = at(gpt, tokenizer, precision), at(gpt, tokenizer, "fp32")
    samples, found = measured(model, baseline, monkeypatch, window=64)
    kl, change, agrees = [], [], []
    for text in TEXT:
        ids = torch.tensor([[0, *tokenizer.encode(text)]])  # id 0 ends and so begins a document
        caches = (m.new_cache(1, ids.size(1)) for m in (model, baseline))  # they round, in bf16
        with bf16_through_fp32():  # a product of another order rounds in another way
            passes = [m.forward(ids[:, :-1], c) for m, c in zip((model, baseline), caches, strict=True)]
        q, p = (logits[0].double().log_softmax(-1) for logits in passes)
        kl.append((p.exp() * (p - q)).sum(-1))
        change.append((p - q).gather(1, ids[0, 1:, None])[:, 0])
        agrees.append(p.argmax(-1) == q.argmax(-1))
    every = torch.cat(kl)
    # In bf16 the divergence (1e-5 nats) is the rounding of products itself, squared; without bf16 instructions products
    # of few and of many rows are summed in another order, and so round in another way.
    near = 0.5 if precision == "bf16" else 0.1
    assert found["kl_mean"].value == pytest.approx(float(every.mean()), rel=near)
    assert found["kl_median"].value == pytest.approx(float(every.median()), rel=near)
    assert found["kl_p99"].value == pytest.approx(float(every.quantile(0.99)), rel=near)
    assert found["loss_change"].value == pytest.approx(
        float(torch.cat(change).mean()), abs=near * float(every.mean().sqrt())
    )
    assert found["top1_agreement"].value == pytest.approx(float(torch.cat(agrees).float().mean()), abs=0.01)
    assert [row["tokens"] for row in samples] == [len(values) for values in kl]
    for item in found.values():
        assert item.low is not None and item.high is not None and item.low <= item.value <= item.high
        assert item.n == len(TEXT) and item.n_unit == "documents"


def test_chunks_change_nothing(gpt: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch) -> None:
    model, baseline = at(gpt, tokenizer, "int8"), at(gpt, tokenizer, "fp32")
    documents = [[0, *tokenizer.encode(text)] for text in TEXT[:3]] + [[], [0], [0, 5]]
    whole = divergences(baseline, model, documents, 24, 16)
    monkeypatch.setattr(head_slices, "LOGITS_AT_ONCE", 5 * VOCABULARY)
    monkeypatch.setattr(head_slices, "LOGITS_PER_STEP", 3 * VOCABULARY)
    monkeypatch.setattr(divergence, "LOGITS_PER_SOFTMAX", 2 * VOCABULARY)
    for chunked, one in zip(divergences(baseline, model, documents, 24, 16), whole, strict=True):
        assert np.allclose(chunked.nll, one.nll, atol=1e-4)
        assert np.allclose(chunked.kl, one.kl, atol=2e-3)
    assert [len(one.nll) for one in whole[3:]] == [0, 0, 1]


def test_first_divergence_is_where_greedy_continuations_part(
    gpt: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, baseline = at(gpt, tokenizer, "int4"), at(gpt, tokenizer, "fp32")
    samples, found = measured(model, baseline, monkeypatch)

    def obvious(which: LanguageModel, ids: list[int]) -> list[int]:
        for _ in range(12):
            ids = [*ids, int(which.forward(torch.tensor([ids]))[0, -1].argmax())]
        return ids[8:]

    for row, text in zip(samples, TEXT, strict=True):
        prompt = [0, *tokenizer.encode(text)][:8]
        ours, theirs = obvious(model, prompt), obvious(baseline, prompt)
        same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), 12)
        assert row["greedy_agreed"] == same
    assert found["first_divergence"].value == np.median([row["greedy_agreed"] for row in samples])
    assert greedy(baseline, [[0, 5]], 0 + 1).shape == (1, 1)


def test_short_documents_have_no_continuation(gpt: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch) -> None:
    model = at(gpt, tokenizer, "fp32")
    samples, found = measured(model, model, monkeypatch, texts=["", "a", *TEXT[:3]])
    assert [row["greedy_agreed"] for row in samples] == [None, None, 12, 12, 12]
    assert found["first_divergence"].n == 3 and found["first_divergence"].low is None
    assert "kl_p99" not in found  # too few tokens for a 99th percentile
    assert found["kl_median"].low is None and found["kl_median"].interval.startswith("none: fewer than 6")
    _, without = measured(model, model, monkeypatch, generate=0)
    assert "first_divergence" not in without


def test_what_can_t_be_is_said(gpt: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch) -> None:
    model = at(gpt, tokenizer, "fp32")
    with pytest.raises(Unsupported, match="prompt of 60 and 12 tokens"):
        measured(model, model, monkeypatch, prompt=60)
    broken = copy.deepcopy(gpt)
    broken.head.weight.data[0, 0] = torch.nan
    with pytest.raises(UserError, match="NaN"):
        measured(at(broken, tokenizer, "fp32"), model, monkeypatch)
    with pytest.raises(UserError, match="no document"):
        measured(model, model, monkeypatch, texts=["", ""])


def test_it_shares_a_worker() -> None:
    assert not FIDELITY.isolated and FIDELITY.texts(FidelitySettings(text="x")) == ("x",)
