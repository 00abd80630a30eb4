"""LLM.int8 against its definition, bitsandbytes' own, and plain rounding where loud inputs matter."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.quantization import llm_int8
from reference_impl.quantization.int8 import dequantize_int8, quantize_int8
from reference_impl.quantization.llm_int8 import (
    THRESHOLD,
    DynamicInt8Weight,
    has_integer_kernel,
    integer_product,
    quantize_rows,
    which_kernel,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def oracle(x: Tensor, weight: Tensor) -> Tensor:
    """The paper's equation 8 with each row's own loud inputs, one output at a time in float64 over int64 products."""
    values, scale = quantize_int8(weight)
    y = torch.zeros(len(x), len(weight), dtype=torch.float64)
    for row in range(len(x)):
        loud = {column for column in range(x.size(1)) if abs(float(x[row, column])) >= THRESHOLD}
        quiet = [float(x[row, column]) if column not in loud else 0.0 for column in range(x.size(1))]
        step = max(abs(value) for value in quiet) / 127 or 1.0
        codes = torch.tensor([round(value / step) for value in quiet])
        for output in range(len(weight)):
            total = step * int((codes * values[output].long()).sum())
            total += sum(float(x[row, column]) * int(values[output, column]) for column in loud)
            y[row, output] = total * float(scale[output])
    return y


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 6),
    outputs=st.integers(1, 8),
    inputs=st.integers(1, 70),
    loud=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_the_product_is_the_paper_s(rows: int, outputs: int, inputs: int, loud: int, seed: int) -> None:
    x = draw(rows, inputs, seed=seed)
    x[:, :loud] *= 30
    x = x.to(torch.bfloat16)
    weight = draw(outputs, inputs, seed=seed + 1)
    got = DynamicInt8Weight(weight).matmul(x)
    want = oracle(x.float(), weight)
    assert got.dtype == torch.bfloat16
    # bf16 of the result, and a tie of a code
    assert (got.double() - want).abs().max() <= 0.01 * want.abs().max() + 1e-6


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rows=st.integers(1, 9), outputs=st.integers(1, 80), inputs=st.integers(1, 3000), seed=st.integers(0, 99))
def test_integer_products_are_exact(rows: int, outputs: int, inputs: int, seed: int) -> None:
    a, b = (
        torch.randint(-127, 128, (n, inputs), generator=torch.Generator().manual_seed(seed + n)).to(torch.int8)
        for n in (rows, outputs)
    )
    exact = a.long() @ b.long().t()
    assert torch.equal(integer_product(a, b), exact.float())


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_integers_do_not_saturate(sign: int) -> None:
    a, b = torch.full((20, 2048), 127, dtype=torch.int8), torch.full((40, 2048), sign * 127, dtype=torch.int8)
    assert (integer_product(a, b) == sign * 2048 * 127 * 127).all()


def test_a_kernel_that_saturates_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturating(a: Tensor, b: Tensor) -> Tensor:
        products = (a.int() + 128)[:, None] * b.int()[None]  # unsigned times signed, as vpmaddubsw wants it
        pairs = products.unflatten(2, (-1, 2)).sum(-1).clamp(-32768, 32767)  # type: ignore[no-untyped-call]
        return (pairs.sum(-1) - 128 * b.int().sum(-1)).float()

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for kernel, wanted in ((saturating, False), (lambda a, b: (a.int() @ b.int().t()).float(), True)):
        monkeypatch.setattr(llm_int8, "_integer_kernel", kernel)
        has_integer_kernel.cache_clear()
        try:
            assert has_integer_kernel("cpu") is wanted
        finally:
            has_integer_kernel.cache_clear()


def test_the_padded_kernel_is_exact_too() -> None:
    if not has_integer_kernel("cpu"):
        pytest.skip("torch's integer product is slow or saturates with these instructions, and is not used")
    a, b = (
        torch.randint(-127, 128, (n, 37), generator=torch.Generator().manual_seed(n)).to(torch.int8) for n in (3, 5)
    )
    assert torch.equal(llm_int8._integer_kernel(a, b), (a.long() @ b.long().t()).float())


def test_it_agrees_with_bitsandbytes() -> None:
    bitsandbytes: Any = importlib.import_module("bitsandbytes")
    weight, x = draw(48, 96), draw(12, 96, seed=1)
    x[:, 5] *= 40
    x = x.to(torch.bfloat16)
    theirs = bitsandbytes.nn.Linear8bitLt(96, 48, bias=False, has_fp16_weights=False, threshold=THRESHOLD)
    theirs.weight = bitsandbytes.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    want = theirs.to("cpu")(x).float()
    got = DynamicInt8Weight(weight).matmul(x).float()
    exact = x.float() @ weight.t()
    assert (got - want).abs().max() <= 0.02 * exact.abs().max()
    assert (got - exact).abs().mean() <= 1.1 * (want - exact).abs().mean()  # and no worse than theirs


def test_loud_inputs_do_not_drown_the_rest() -> None:
    x, weight = draw(16, 256), draw(32, 256, seed=1)
    x[:, 17] = 60
    x = x.to(torch.bfloat16)
    exact = x.float() @ dequantize_int8(*quantize_int8(weight)).t()
    codes, step = quantize_rows(x.float())
    drowned = (codes.float() * step[:, None]) @ dequantize_int8(*quantize_int8(weight)).t()
    got = DynamicInt8Weight(weight).matmul(x).float()
    assert (got - exact).square().mean() < 0.1 * (drowned - exact).square().mean()


def test_a_row_does_not_depend_on_the_others() -> None:
    weight = DynamicInt8Weight(draw(16, 96))
    x = draw(9, 96, seed=1)
    x[4, 7] = 70
    alone = torch.cat([weight.matmul(row[None]) for row in x])
    assert torch.allclose(weight.matmul(x), alone, rtol=1e-5, atol=1e-5)


def test_silence_is_silence() -> None:
    assert (DynamicInt8Weight(draw(8, 40)).matmul(torch.zeros(3, 40, dtype=torch.bfloat16)) == 0).all()


def test_the_kernel_is_told() -> None:
    assert which_kernel("cpu") in ("torch._int_mm", "exact integer products in fp32")
