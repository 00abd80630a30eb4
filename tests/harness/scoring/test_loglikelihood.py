"""Token NLLs: against a loop so plain that it can't be wrong, and against Hugging Face's own loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.scoring import head_slices, loglikelihood, token_log_probs
from harness.scoring.loglikelihood import token_nlls
from harness.scoring.windows import sliding_windows


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    folder: Path = request.getfixturevalue(f"{request.param}_folder")
    return open_model(ModelSource(request.param, "transformers", str(folder), "digest"))


def documents(lengths: tuple[int, ...] = (150, 40, 40, 2, 1, 0, 97)) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 320, length).tolist() for length in lengths]


def naive_nlls(model: LanguageModel, ids: list[int], window: int, stride: int) -> list[float]:
    """Full logits, one document, one window at a time, one token at a time, in fp64."""
    found = []
    for start, end, first in sliding_windows(len(ids), window, stride):
        logits = model.forward(torch.tensor([ids[start:end]]))[0].double()
        for t in range(first, end):
            found.append(-float(logits[t - start - 1].log_softmax(-1)[ids[t]]))
    return found


@pytest.mark.parametrize(("window", "stride"), [(48, 24), (16, 15), (20, 3)])
def test_same_as_the_naive_loop(model: LanguageModel, window: int, stride: int) -> None:
    found = token_nlls(model, documents(), window, stride)
    for ids, nll in zip(documents(), found, strict=True):
        assert len(nll) == max(len(ids) - 1, 0)
        np.testing.assert_allclose(nll, naive_nlls(model, ids, window, stride), rtol=1e-5)


def test_same_as_hugging_faces_loop(model: LanguageModel) -> None:
    """Labels, shift and loss are transformers' own here; nothing of ours but the ids."""
    from transformers import AutoModelForCausalLM

    folder = model.module.config.name_or_path  # type: ignore[attr-defined]
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    input_ids = torch.tensor(documents()[:1])
    seq_len, max_length, stride = input_ids.size(1), 40, 16
    nll_sum, n_tokens, prev_end_loc = 0.0, 0, 0
    for begin_loc in range(0, seq_len, stride):
        end_loc = min(begin_loc + max_length, seq_len)
        trg_len = end_loc - prev_end_loc
        window = input_ids[:, begin_loc:end_loc]
        target_ids = window.clone()
        target_ids[:, :-trg_len] = -100
        with torch.no_grad():
            loss = theirs(window, labels=target_ids).loss
        num_loss_tokens = int((target_ids[:, 1:] != -100).sum())
        nll_sum += float(loss) * num_loss_tokens
        n_tokens += num_loss_tokens
        prev_end_loc = end_loc
        if end_loc == seq_len:
            break
    [ours] = token_nlls(model, documents()[:1], max_length, stride)
    assert len(ours) == n_tokens
    assert np.exp(ours.mean()) == pytest.approx(np.exp(nll_sum / n_tokens), rel=1e-5)


def test_batches_and_chunks_change_nothing(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    together = token_nlls(model, documents(), 32, 16)
    monkeypatch.setattr(loglikelihood, "TOKENS_PER_BATCH", 1)
    monkeypatch.setattr(token_log_probs, "LOGITS_PER_SOFTMAX", 1)
    monkeypatch.setattr(head_slices, "LOGITS_AT_ONCE", 1)
    for a, b in zip(together, token_nlls(model, documents(), 32, 16), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_no_logits_but_those_that_are_scored(model: LanguageModel) -> None:
    """The full time × vocabulary logits are never asked for, and a batch's logits stay within the limit."""
    asked: list[tuple[int, int, int]] = []

    class Spy:
        identity = model.identity

        def forward(self, tokens: torch.Tensor, *, logits_at: torch.Tensor) -> torch.Tensor:
            asked.append((*tokens.shape, len(logits_at)))
            return model.forward(tokens, logits_at=logits_at)

    token_nlls(Spy(), documents((200,)), 32, 8)  # type: ignore[arg-type]
    assert sorted(asked, reverse=True) == [(21, 31, 8), (1, 31, 31)]
    assert sum(batch * scored for batch, _, scored in asked) == 199


def test_known_bad_logits_off_by_one_are_not_close(model: LanguageModel) -> None:
    """The commonest defect of scoring code is seen by the comparison above."""

    class OffByOne:
        identity = model.identity

        def forward(self, tokens: torch.Tensor, *, logits_at: torch.Tensor) -> torch.Tensor:
            return model.forward(tokens, logits_at=(logits_at - 1).clamp(min=0))

    ids = documents()[0]
    [bad] = token_nlls(OffByOne(), [ids], 32, 16)  # type: ignore[arg-type]
    assert not np.allclose(bad, naive_nlls(model, ids, 32, 16), rtol=1e-2)
