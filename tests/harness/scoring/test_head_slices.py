"""Logits in slices against logits at once, for every adapter, and how many are ever made together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.scoring import head_slices, token_log_probs
from harness.scoring.engine import score
from harness.scoring.head_slices import Reading, logits_in_slices, side_by_side
from harness.scoring.loglikelihood import token_nlls
from harness.scoring.request import Scored

VOCABULARY = 320
ADAPTERS = [
    *("llama transformers fp32", "llama transformers bf16", "llama transformers int8"),
    *("llama converted fp32", "llama converted int8", "gpt2 transformers fp32", "gpt2 converted bf16"),
]


class NotApart:
    """A model of which nothing is known but `forward`."""

    def __init__(self, model: LanguageModel) -> None:
        self.identity = model.identity
        self.forward = model.forward


@pytest.fixture(scope="module", params=[*ADAPTERS, "llama transformers whole"])
def model(request: pytest.FixtureRequest) -> Any:
    name, kind, precision = request.param.split()
    folder: Path = request.getfixturevalue(f"{name}_folder")
    precision = precision.replace("whole", "fp32")
    opened = open_model(ModelSource(name, kind, str(folder), "digest", precision=precision))
    return NotApart(opened) if request.param.endswith("whole") else opened


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGITS_AT_ONCE", "LOGITS_PER_STEP", "LOGITS_PER_PASS"):
        monkeypatch.setattr(head_slices, name, 3 * VOCABULARY)


def made(reading: Reading, model: LanguageModel, at: torch.Tensor) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [logits.clone() for logits in logits_in_slices(model, reading, at)]


@pytest.mark.usefixtures("few")
def test_slices_are_the_logits(model: LanguageModel) -> None:
    """The oracle: a plain pass with every logit."""
    tokens = torch.arange(40)[None]
    at = torch.tensor([3, 4, 9, 10, 11, 30, 31, 39])
    slices = made(Reading(tokens), model, at)
    assert max(map(len, slices)) == 3 and len(slices) == 3
    with torch.inference_mode():
        expected = model.forward(tokens)[0, at].float()
    tolerance = 1e-4 if model.identity.precision == "fp32" else 0.05 * float(expected.std())
    torch.testing.assert_close(torch.cat(slices).float(), expected, atol=tolerance, rtol=1e-4)


@pytest.mark.usefixtures("few")
def test_numbers_are_those_of_whole_logits(model: LanguageModel) -> None:
    """Whole logits, then a log-softmax in double precision."""
    ids = torch.arange(1, 41).mul(7).remainder(VOCABULARY).tolist()
    with torch.inference_mode():
        logits = model.forward(torch.tensor([ids[:-1]]))[0].double()
    expected = -logits.log_softmax(-1)[torch.arange(39), torch.tensor(ids[1:])].numpy()
    tolerance = 1e-4 if model.identity.precision == "fp32" else 0.1
    np.testing.assert_allclose(token_nlls(model, [ids], 40, 20)[0], expected, atol=tolerance)
    if not isinstance(model, NotApart):
        [found] = score(model, [Scored(tuple(ids), 1)])
        np.testing.assert_allclose(-found.log_probs, expected, atol=tolerance)


def test_no_more_logits_than_the_limit_are_ever_made(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks for them: perplexity, choices, a long continuation."""
    most = 6 * VOCABULARY
    for name in ("LOGITS_AT_ONCE", "LOGITS_PER_STEP", "LOGITS_PER_PASS"):
        monkeypatch.setattr(head_slices, name, most)
    seen: list[int] = []
    inner = token_log_probs.log_probs_in_slices

    def spied(slices: Iterator[torch.Tensor], rows: torch.Tensor, tokens: torch.Tensor) -> Any:
        def counted() -> Iterator[torch.Tensor]:
            for logits in slices:
                seen.append(logits.numel())
                yield logits

        return inner(counted(), rows, tokens)

    monkeypatch.setattr("harness.scoring.loglikelihood.log_probs_in_slices", spied)
    token_nlls(model, [list(range(41)), list(range(30))], 41, 20)
    assert max(seen) <= most and sum(seen) == (40 + 29) * VOCABULARY


def test_rows_of_a_batch_follow_each_other(model: LanguageModel) -> None:
    tokens = torch.arange(60).reshape(3, 20)
    at = torch.tensor([5, 19])
    with torch.inference_mode():
        expected = model.forward(tokens, logits_at=at).flatten(0, 1).float()
    tolerance = 1e-4 if model.identity.precision == "fp32" else 0.05 * float(expected.std())
    torch.testing.assert_close(torch.cat(made(Reading(tokens), model, at)).float(), expected, atol=tolerance, rtol=1e-4)


def test_slices_of_other_lengths_are_put_side_by_side() -> None:
    rows = torch.arange(10)[:, None]
    found = list(side_by_side(iter(rows.split(4)), iter(rows.split(3))))
    assert [len(a) for a, _ in found] == [3, 1, 2, 2, 1, 1]
    assert all(torch.equal(a, b) for a, b in found)
    assert torch.equal(torch.cat([a for a, _ in found]), rows)


def test_known_bad_a_slice_that_is_skipped_is_seen(model: LanguageModel, few: None) -> None:
    """The comparison above fails where a slice is of other positions."""
    at = torch.tensor([3, 4, 9, 10, 11, 30])
    with torch.inference_mode():
        expected = model.forward(torch.arange(40)[None])[0, at].float()
    shifted = torch.cat(made(Reading(torch.arange(40)[None]), model, at - 1)).float()
    assert not torch.allclose(shifted, expected, atol=0.05 * float(expected.std()))
