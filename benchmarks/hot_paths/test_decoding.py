"""One more token, and a whole prompt, by the engine, for each format of the weights."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from reference_impl.inference.engine import Engine
from reference_impl.model.gpt import GPT

PROMPT = 256


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Logits that differ by what bf16 activations round, which is little beside how far they lie apart.

    Another position's logits are as far away as those lie apart.
    """
    apart = (found.float() - expected.float()).abs().max() / expected.float().std()
    assert apart <= 0.15


@pytest.mark.benchmark(group="decode step")
def test_a_decode_step(benchmark: BenchmarkFixture, stored: GPT, tokens: Tensor) -> None:
    """The token after a prompt of 256, again and again at that place."""
    engine = Engine(stored)
    cache = engine.new_cache(1, PROMPT + 1)
    engine(tokens[:, :PROMPT], cache)

    def step() -> Tensor:
        cache.length = PROMPT
        return engine(tokens[:, PROMPT : PROMPT + 1], cache)

    found = benchmark(step)
    with torch.inference_mode():
        whole = stored(tokens[:, : PROMPT + 1])
    assert_close(found[0, 0], whole[0, PROMPT])
    with pytest.raises(AssertionError):
        assert_close(found[0, 0], whole[0, PROMPT - 1])


@pytest.mark.benchmark(group="prefill")
def test_a_prefill(benchmark: BenchmarkFixture, stored: GPT, tokens: Tensor) -> None:
    """A prompt of 256 tokens, and the logits of the token after it."""
    engine, last = Engine(stored), torch.tensor([PROMPT - 1])
    found = benchmark(lambda: engine(tokens[:, :PROMPT], engine.new_cache(1, PROMPT), logits_at=last))
    with torch.inference_mode():
        cache = engine.new_cache(1, PROMPT)
        for place in range(PROMPT):
            slow = stored(tokens[:, place : place + 1], cache)
    assert_close(found[0, 0], slow[0, 0])
