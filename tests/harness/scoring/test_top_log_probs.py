"""The likeliest tokens against a softmax over everything at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.models.contract import LanguageModel, ModelSource
from harness.models.reference import as_language_model
from harness.scoring import top_log_probs as module
from harness.scoring.top_log_probs import top_log_probs
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import sharp_gpt


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    tokenizer = ByteBPE.train(["the cat sat on the mat"], 270)
    gpt = sharp_gpt(GPTConfig(vocabulary=270, context=32, layers=2, heads=2, width=16))
    return as_language_model(gpt, tokenizer, ModelSource("m", "reference", "-", "d"))


def test_against_all_logits(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGITS_PER_SOFTMAX", 800)  # two rows at a time
    generator = np.random.default_rng(0)
    documents = [generator.integers(0, 270, n).tolist() for n in (2, 9, 32)]
    for ids, found in zip(documents, top_log_probs(model, documents, 64), strict=True):
        with torch.inference_mode():
            whole = model.forward(torch.tensor([ids]))[0, :-1].double().log_softmax(-1).numpy()
        order = np.argsort(-whole, axis=1)
        assert found.nll == pytest.approx(-whole[np.arange(len(whole)), ids[1:]], abs=1e-5)
        assert found.ids.shape == found.log_probs.shape == (len(ids) - 1, 64)
        assert np.take_along_axis(whole, found.ids.astype(int), 1) == pytest.approx(found.log_probs, abs=1e-5)
        assert found.log_probs == pytest.approx(np.take_along_axis(whole, order[:, :64], 1), abs=1e-5)
        rest = np.logaddexp.reduce(np.take_along_axis(whole, order[:, 64:], 1), axis=1)
        assert found.rest == pytest.approx(rest, abs=1e-4)


def test_a_small_vocabulary_leaves_no_rest(model: LanguageModel) -> None:
    (found,) = top_log_probs(model, [[1, 2, 3]], 1000)
    assert found.ids.shape == (2, 270) and np.isneginf(found.rest).all()


def test_short_documents_and_what_was_given(model: LanguageModel) -> None:
    empty, one = top_log_probs(model, [[], [5]], 64)
    assert empty.ids.shape == one.ids.shape == (0, 64) and len(one.nll) == 0
    (whole,) = top_log_probs(model, [[1, 2, 3, 4]], 64)
    assert len(whole.beyond(2).nll) == 2 and whole.beyond(2).nll[0] == whole.nll[1]
