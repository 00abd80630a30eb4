"""Log-probabilities of tokens, from logits and from features, against double precision."""

from __future__ import annotations

import pytest
import torch

from harness.scoring import head_slices
from harness.scoring import token_log_probs as module
from harness.scoring.head_slices import by_product
from harness.scoring.token_log_probs import log_probs_in_slices, token_log_probs

ROWS = torch.tensor([0, 0, 1, 3, 3, 3, 6])
TOKENS = torch.tensor([2, 5, 30, 0, 1, 2, 7])


@pytest.fixture(params=[10**7, 100, 1])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGITS_PER_SOFTMAX", request.param)
    monkeypatch.setattr(head_slices, "LOGITS_AT_ONCE", request.param)
    monkeypatch.setattr(head_slices, "COLUMNS", 7)


@pytest.mark.usefixtures("chunk")
def test_same_as_in_double_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    features, head = torch.randn(7, 5, generator=generator), torch.randn(31, 5, generator=generator)
    logits = features @ head.T
    TOKENS[0] = logits[0].argmax()
    expected = logits.double().log_softmax(-1)[ROWS, TOKENS]
    likeliest = logits.argmax(-1)[ROWS] == TOKENS
    assert likeliest.any()
    sliced = log_probs_in_slices(by_product(features, head), ROWS, TOKENS)
    for log_probs, greedy in (token_log_probs(logits, ROWS, TOKENS), sliced):
        torch.testing.assert_close(log_probs.double(), expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(greedy, likeliest)


def test_of_equal_logits_the_first_is_likeliest() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0], [3.0, 3.0, 3.0]], dtype=torch.bfloat16)
    rows, tokens = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 0, 2])
    assert token_log_probs(logits, rows, tokens)[1].tolist() == [True, False, True, False]


def test_not_a_number_stays_one() -> None:
    logits = torch.tensor([[1.0, float("nan")]])
    assert token_log_probs(logits, torch.tensor([0]), torch.tensor([0]))[0].isnan().all()
