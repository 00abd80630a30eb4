"""Greedy generation equals reading the whole text anew for each token."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.inference.generation import decode, generate, prefill
from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT

CONFIG = GPTConfig(vocabulary=61, context=24, layers=2, heads=2, width=16)


def model() -> GPT:
    torch.manual_seed(0)
    gpt = GPT(CONFIG).eval()
    with torch.no_grad():
        for parameter in gpt.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8)
    return gpt


def tokens(batch: int, time: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, CONFIG.vocabulary, (batch, time), generator=torch.Generator().manual_seed(seed))


def slow_generate(gpt: GPT, text: torch.Tensor, new_tokens: int) -> torch.Tensor:
    start = text.size(1)
    for _ in range(new_tokens):
        text = torch.cat([text, gpt(text)[:, -1:].argmax(-1)], dim=1)
    return text[:, start:]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 12), st.integers(0, 12), st.integers(0, 99))
def test_generate_is_slow_generate(batch: int, time: int, new_tokens: int, seed: int) -> None:
    gpt, text = model(), tokens(batch, time, seed)
    assert torch.equal(generate(gpt, text, new_tokens), slow_generate(gpt, text, new_tokens))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=2, max_size=4))
def test_a_padded_batch_generates_what_its_rows_do(lengths: list[int]) -> None:
    gpt, longest = model(), max(lengths)
    rows = [tokens(1, length, seed=i) for i, length in enumerate(lengths)]
    batch = torch.cat([torch.cat([tokens(1, longest - row.size(1), seed=50), row], dim=1) for row in rows])
    mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths])
    together = generate(gpt, batch, 6, mask)
    for i, row in enumerate(rows):
        assert torch.equal(together[i : i + 1], generate(gpt, row, 6))


def test_prefill_and_decode_apart() -> None:
    gpt, text = model(), tokens(2, 7)
    cache = KVCache.for_model(gpt, 2, 7)
    logits = prefill(gpt, cache, text[:, :6])
    torch.testing.assert_close(logits, gpt(text[:, :6])[:, -1], rtol=0, atol=1e-5)
    torch.testing.assert_close(decode(gpt, cache, text[:, 6:]), gpt(text)[:, -1], rtol=0, atol=1e-5)


def test_the_last_token_may_be_the_contexts_last_but_one_more_is_refused() -> None:
    gpt = model()
    assert generate(gpt, tokens(1, 24), 1).shape == (1, 1)
    assert generate(gpt, tokens(1, 20), 5).shape == (1, 5)
    with pytest.raises(ValueError, match="context of 24"):
        generate(gpt, tokens(1, 20), 6)
