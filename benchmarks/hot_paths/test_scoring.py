"""Multiple-choice requests that share their beginnings, scored as one tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.scoring.engine import score
from harness.scoring.request import Scored


def questions(documents: int) -> list[Scored]:
    """Few-shot examples of 150 tokens, which all share; a question of 30 each; four choices of 4."""
    generator = np.random.default_rng(0)

    def drawn(count: int) -> tuple[int, ...]:
        return tuple(generator.integers(0, 300, count).tolist())

    examples = drawn(150)
    stems = [examples + drawn(30) for _ in range(documents)]
    return [Scored(stem + drawn(4), len(stem)) for stem in stems for _ in range(4)]


@pytest.mark.benchmark(group="scoring")
def test_a_tree_of_choices(benchmark: BenchmarkFixture, checkpoint: Path, timed: bool) -> None:
    """Sixteen questions with four choices each."""
    model = open_model(ModelSource("model", "reference", str(checkpoint), "digest"))
    requests = questions(16 if timed else 3)
    found = benchmark(score, model, requests)
    for request, scores in list(zip(requests, found, strict=True))[::9]:
        with torch.inference_mode():
            logits = model.forward(torch.tensor([request.read]))[0, request.start - 1 :].double()
        wanted = torch.tensor(request.ids[request.start :])
        alone = logits.log_softmax(-1).gather(1, wanted[:, None])[:, 0].numpy()
        np.testing.assert_allclose(scores.log_probs, alone, atol=1e-3)
