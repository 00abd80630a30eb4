"""The compiled attention against the three obvious lines of `explicit_attention`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, explicit_attention, fused_attention
from reference_impl.native import attention
from reference_impl.native.attention import kernel_attention, native_attention
from reference_impl.native.build import Native, native_library

pytestmark = pytest.mark.skipif(native_library().library is None, reason=native_library().reason)

Triple = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def some(batch: int, heads: tuple[int, int], time: int, total: int, width: int, seed: int = 0) -> Triple:
    """Queries, keys, values as a model hands them over: views with other strides than their shapes'."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(heads: int, time: int) -> torch.Tensor:
        return 2 * torch.randn(batch, time, heads, width, generator=generator).transpose(1, 2)

    return drawn(heads[0], time), drawn(heads[1], total), drawn(heads[1], total)


def random_mask(time: int, total: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    causal = torch.ones(time, total, dtype=torch.bool).tril(total - time)
    itself = causal & ~torch.ones(time, total, dtype=torch.bool).tril(total - time - 1)
    return (causal & (torch.rand(time, total, generator=generator) < 0.3)) | itself


shapes = st.tuples(
    st.integers(1, 2),
    st.sampled_from([(1, 1), (4, 4), (6, 2), (9, 3)]),
    st.integers(1, 70),
    st.integers(0, 150),
    st.sampled_from([4, 8, 12, 16, 64]),
)


@settings(max_examples=60, deadline=None)
@given(shape=shapes, masked=st.booleans(), seed=st.integers(0, 100))
def test_same_as_the_obvious_way(shape: tuple[int, tuple[int, int], int, int, int], masked: bool, seed: int) -> None:
    batch, heads, time, held, width = shape
    parts = some(batch, heads, time, held + time, width, seed)
    visible = random_mask(time, held + time, seed) if masked else None
    with torch.inference_mode():
        mixed = kernel_attention(*parts, visible)
    assert mixed is not None
    torch.testing.assert_close(mixed, explicit_attention(*parts, visible, 0.0), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("time", "total"), [(70, 1100), (1, 1024), (129, 1279)])
def test_many_keys(time: int, total: int) -> None:
    parts = some(1, (6, 2), time, total, 64)
    with torch.inference_mode():
        mixed = kernel_attention(*parts, None)
    assert mixed is not None
    torch.testing.assert_close(mixed, explicit_attention(*parts, None, 0.0), atol=2e-5, rtol=1e-5)


def test_what_is_hidden_has_no_influence() -> None:
    queries, keys, values = some(1, (4, 2), 60, 100, 16)
    visible = random_mask(60, 100, 3)
    visible[:, 30:70] = False
    visible[:30, 40:70] |= torch.eye(30, dtype=torch.bool)  # each of them sees itself alone there
    with torch.inference_mode():
        before = kernel_attention(queries, keys, values, visible)
        keys[:, :, 30:40], values[:, :, 30:40] = 1e4, 1e4
        after = kernel_attention(queries, keys, values, visible)
    assert before is not None and after is not None and torch.equal(before, after)


def test_not_a_number_stays_one() -> None:
    queries, keys, values = some(1, (2, 1), 5, 5, 8)
    values[0, 0, 2] = float("nan")
    with torch.inference_mode():
        mixed = kernel_attention(queries, keys, values, None)
    assert mixed is not None
    assert mixed[:, :, 2:].isnan().all(), "whoever sees it"


@pytest.mark.parametrize("threads", [1, 3])
def test_any_number_of_threads(threads: int) -> None:
    parts, before = some(2, (6, 2), 90, 130, 16), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            mixed = kernel_attention(*parts, None)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(mixed, explicit_attention(*parts, None, 0.0), atol=2e-5, rtol=1e-5)


def test_what_it_cant_do_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = some(2, (4, 2), 6, 9, 8)
    by_row = random_mask(6, 9, 0).expand(2, 1, 6, 9)
    with torch.inference_mode():
        assert kernel_attention(*(part.bfloat16() for part in parts), None) is None
        assert kernel_attention(*parts, by_row) is None, "a mask for each sequence"
        expected = fused_attention(*parts, by_row, 0.0)
        assert torch.equal(native_attention(*parts, by_row, 0.0), expected)
        monkeypatch.setattr(attention, "native_library", lambda: Native(None, "none here"))
        assert kernel_attention(*parts, None) is None
    assert kernel_attention(*parts, None) is None


def test_an_engine_uses_it_and_training_does_not() -> None:
    model = GPT(GPTConfig(vocabulary=17, context=40, layers=1, heads=2, width=16))
    tokens = torch.arange(34).remainder(17)[None]
    expected = GPT.forward(model, tokens).detach()
    engine = Engine(model)
    assert engine.attention is native_attention
    assert model.attend is None, "the model itself is as it was"
    torch.testing.assert_close(engine(tokens), expected, atol=1e-5, rtol=1e-5)
    model(tokens).sum().backward()
    assert model.token_embedding.weight.grad is not None
    chosen = GPT(model.config, attention=explicit_attention)
    assert Engine(chosen).attention is explicit_attention, "who chose another keeps it"
