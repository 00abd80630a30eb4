"""int4 weights: what the codes stand for, their packing, and every kernel against it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.quantization import int4, weight_format
from reference_impl.quantization.int4 import GROUP, Int4Weight, dequantize_int4, join, quantize_int4, split

ROWS = [1, 2, 3, 7, 16, 17, 64, 65, 200]

Rounded = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], bool]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(result: torch.Tensor, expected: torch.Tensor) -> float:
    return ((result.float() - expected).norm() / expected.norm()).item()


def stands_for(weight: torch.Tensor) -> torch.Tensor:
    """The definition, with the last group filled with copies of its last weight."""
    missing = -weight.size(1) % GROUP
    whole = torch.cat([weight, weight[:, -1:].expand(-1, missing)], dim=1)
    return dequantize_int4(*quantize_int4(whole))[:, : weight.size(1)]


def oracle(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The product with it, in fp32."""
    return x.float() @ stands_for(weight).t()


def test_by_hand() -> None:
    weight = torch.cat([torch.arange(16.0), torch.arange(16.0), torch.full((32,), -3.0)])[None]
    codes, scale, zero = quantize_int4(weight)
    assert scale[0, 0] == 1 and zero[0].tolist() == [8.0, -3.0]
    assert codes[0, :32].tolist() == [*range(16), *range(16)]
    assert torch.equal(dequantize_int4(codes, scale, zero), weight)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3), st.floats(1e-4, 1e4), st.floats(-3, 3), st.integers(0, 99))
def test_no_weight_moves_much_more_than_half_a_step(
    outputs: int, groups: int, size: float, offset: float, seed: int
) -> None:
    weight = (normal(outputs, groups * GROUP, seed=seed) + offset) * size
    codes, scale, zero = quantize_int4(weight)
    assert codes.min() >= 0 and codes.max() <= 15
    steps = (weight - dequantize_int4(codes, scale, zero)).abs() / scale.float().repeat_interleave(GROUP, 1)
    # Beyond half a step: at the ends of the range, where bf16 rounding of the step (15 * 2^-9) and of the zero
    # point (up to 2^-9 of it) may cut.
    cut = 15 * 2**-9 + (zero.float().abs() / scale.float()).max().item() * 2**-9
    assert steps.max() <= 0.5 + cut + 1e-3


@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_split_undoes_join(outputs: int, groups: int, seed: int) -> None:
    codes = torch.randint(0, 16, (outputs, groups * GROUP), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(split(join(codes)).long(), codes)


def test_join_by_hand() -> None:
    joined = join(torch.tensor([[*range(16), *range(15, -1, -1)]]))
    assert joined[0].tolist() == [i + 16 * (15 - i) for i in range(16)]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 45), (1, 7), (144, 96), (20, 300)])
def test_every_number_of_rows_equals_the_oracle(
    kernel: str, rounded: Rounded, rows: int, outputs: int, inputs: int
) -> None:
    weight, x = normal(outputs, inputs), normal(rows, inputs, seed=1).bfloat16()
    y = Int4Weight(weight).matmul(x)
    assert y.dtype == torch.bfloat16 and y.shape == (rows, outputs)
    assert rounded(y, x, stands_for(weight))


@pytest.mark.parametrize("rows", [1, 5, 16])
@pytest.mark.parametrize("size", [1e-10, 1.0, 1e10])
def test_the_compiled_kernel_rounds_activations_finely(rows: int, size: float) -> None:
    """To 16 bits with a scale per group: finer than bf16's 8, whatever the size and even beside one huge activation."""
    if int4.native_library().library is None:
        pytest.skip(int4.native_library().reason)
    weight, x = normal(64, 96), normal(rows, 96, seed=1) * size
    # Half a step is 2^-16 of a group's largest, which is about 2.5 times the rest: 2.5 / sqrt(3) 2^-16, and as much
    # again for the seed's.
    assert relative_error(Int4Weight(weight).matmul(x), oracle(x, weight)) < 5e-5
    x[:, 40] *= 1000
    as_bf16 = relative_error(oracle(x.bfloat16(), weight), oracle(x, weight))
    assert relative_error(Int4Weight(weight).matmul(x), oracle(x, weight)) < as_bf16 / 2


def test_not_a_number_stays_one(kernel: str) -> None:
    x = normal(2, 64, seed=1)
    x[1, 3] = torch.nan
    y = Int4Weight(normal(8, 64)).matmul(x)
    assert y[0].isfinite().all() and y[1].isnan().all()


def test_a_weight_of_many_blocks(kernel: str, rounded: Rounded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_format, "BLOCK_ELEMENTS", 1 << 12)
    weight = normal(300, 40)
    quantized = Int4Weight(weight)
    for rows in (5, 150):
        x = normal(rows, 40, seed=1).bfloat16()
        assert rounded(quantized.matmul(x), x, stands_for(weight))


def test_from_codes_is_the_same_weight() -> None:
    weight, x = normal(48, 64), normal(3, 64, seed=1)
    made = Int4Weight.from_codes(*quantize_int4(weight), in_features=64)
    assert torch.equal(made.matmul(x), Int4Weight(weight).matmul(x))


def test_rows_are_the_dequantized_weights() -> None:
    weight, indices = normal(40, 64), torch.tensor([[3, 39], [0, 3]])
    rows = Int4Weight(weight).rows(indices)
    torch.testing.assert_close(rows.float(), dequantize_int4(*quantize_int4(weight))[indices], rtol=2**-7, atol=1e-6)


def test_five_bits_a_weight() -> None:
    assert 8 * sum(buffer.nbytes for buffer in Int4Weight(normal(64, 96)).buffers()) == 5 * 64 * 96


@pytest.mark.parametrize("rows", [4, 200])
def test_a_wrong_group_order_would_be_seen(kernel: str, rounded: Rounded, rows: int) -> None:
    """The known-bad case: the scales and zero points of the groups the other way round."""
    weight, x = normal(96, 128) * torch.linspace(0.5, 2, 128), normal(rows, 128, seed=1).bfloat16()
    wrong = Int4Weight(weight)
    wrong.scale.copy_(wrong.scale.flip(1))
    wrong.zero.copy_(wrong.zero.flip(1))
    assert not rounded(wrong.matmul(x), x, stands_for(weight))


@pytest.mark.parametrize("rows", [4, 200])
def test_a_wrong_output_order_would_be_seen(kernel: str, rounded: Rounded, rows: int) -> None:
    weight, x = normal(96, 64), normal(rows, 64, seed=1).bfloat16()
    wrong = Int4Weight(weight)
    wrong.codes.copy_(join(quantize_int4(weight)[0].roll(1, 0)))
    assert not rounded(wrong.matmul(x), x, stands_for(weight))
