"""int8 weights: what the integers stand for, and every kernel against it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.native.build import Native
from reference_impl.quantization import int8, weight_format
from reference_impl.quantization.int8 import Int8Weight, dequantize_int8, quantize_int8
from reference_impl.quantization.weight_format import dense_type

ROWS = [1, 2, 3, 7, 8, 9, 16, 17, 64, 200]
NO_KERNEL = Native(None, "not wanted here")

Rounded = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], bool]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(result: torch.Tensor, expected: torch.Tensor) -> float:
    return ((result.float() - expected).norm() / expected.norm()).item()


def oracle(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The definition, in fp32."""
    return x.float() @ dequantize_int8(*quantize_int8(weight)).t()


def test_by_hand() -> None:
    values, scale = quantize_int8(torch.tensor([[1.27, -0.5, 0.004, 0.006], [0.0, 0.0, 0.0, 0.0]]))
    assert scale[0].item() == pytest.approx(0.01, rel=2**-8)
    assert values.tolist() == [[127, -50, 0, 1], [0, 0, 0, 0]]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 70), st.floats(1e-4, 1e4), st.integers(0, 99))
def test_no_weight_moves_more_than_half_a_step(outputs: int, inputs: int, size: float, seed: int) -> None:
    weight = normal(outputs, inputs, seed=seed) * size
    values, scale = quantize_int8(weight)
    # A row's largest weight may be a little past 127 steps, for the step was rounded to bf16.
    steps = (weight - dequantize_int8(values, scale)).abs() / scale.float()[:, None]
    assert steps.max() <= 0.5 + 1e-3
    assert values.min() >= -127


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 45), (1, 7), (130, 96)])
def test_every_number_of_rows_equals_the_oracle(
    kernel: str, rounded: Rounded, rows: int, outputs: int, inputs: int
) -> None:
    weight, x = normal(outputs, inputs), normal(rows, inputs, seed=1).bfloat16()
    y = Int8Weight(weight).matmul(x)
    assert y.dtype == torch.bfloat16 and y.shape == (rows, outputs)
    assert rounded(y, x, dequantize_int8(*quantize_int8(weight)))


def test_weights_may_begin_at_any_address(kernel: str) -> None:
    """As those do that are mapped from a file."""
    weight, x = normal(33, 64), normal(3, 64, seed=1).bfloat16()
    found = Int8Weight(weight)
    room = torch.empty(33 * 64 + 1, dtype=torch.int8)[1:]
    found.values = room.copy_(found.values.flatten()).view(33, 64)
    assert found.values.data_ptr() % 16 == 1
    assert torch.equal(found.matmul(x), Int8Weight(weight).matmul(x))


def test_a_weight_of_many_blocks(rounded: Rounded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_format, "BLOCK_ELEMENTS", 1 << 12)
    weight, x = normal(300, 40), normal(50, 40, seed=1).bfloat16()
    assert rounded(Int8Weight(weight).matmul(x), x, dequantize_int8(*quantize_int8(weight)))


def test_torchs_kernel_never_gets_fp32_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would drop it onto a scalar path, 8 to 200 times as slow."""
    monkeypatch.setattr("reference_impl.native.matrix.native_library", lambda: NO_KERNEL)
    monkeypatch.setattr(int8, "native_library", lambda: NO_KERNEL)
    seen = []
    op = torch.ops.aten._weight_int8pack_mm

    def watched(x: torch.Tensor, values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        seen.append((x.dtype, x.is_contiguous()))
        return op(x, values, scale)

    monkeypatch.setattr(torch.ops.aten, "_weight_int8pack_mm", watched)
    y = Int8Weight(normal(48, 64)).matmul(normal(64, 3, seed=1).t())
    assert y.dtype == torch.float32 and seen == [(torch.bfloat16, True)]


def test_the_other_dense_type(rounded: Rounded, monkeypatch: pytest.MonkeyPatch) -> None:
    other = torch.bfloat16 if dense_type("cpu") == torch.float32 else torch.float32
    monkeypatch.setattr(weight_format, "dense_type", lambda device: other)
    weight, x = normal(96, 64), normal(64, 64, seed=1).bfloat16()
    assert rounded(Int8Weight(weight).matmul(x), x, dequantize_int8(*quantize_int8(weight)))


def test_rows_are_the_dequantized_weights() -> None:
    weight = normal(40, 45)
    indices = torch.tensor([[3, 39], [0, 3]])
    rows = Int8Weight(weight).rows(indices)
    assert rows.dtype == torch.bfloat16
    torch.testing.assert_close(rows.float(), dequantize_int8(*quantize_int8(weight))[indices], rtol=2**-8, atol=0)


def test_the_error_is_under_one_percent() -> None:
    weight, x = normal(256, 512), normal(16, 512, seed=1).bfloat16()
    assert 0.002 < relative_error(Int8Weight(weight).matmul(x), x.float() @ weight.t()) < 0.01


def test_a_scale_of_the_wrong_channel_would_be_seen(kernel: str, rounded: Rounded) -> None:
    """The known-bad case."""
    weight, x = normal(96, 64), normal(4, 64, seed=1).bfloat16()
    wrong = Int8Weight(weight)
    wrong.scale.copy_(wrong.scale.roll(1))
    assert not rounded(wrong.matmul(x), x, dequantize_int8(*quantize_int8(weight)))
