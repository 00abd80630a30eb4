"""int4 weights: what the codes stand for, their packing, and every kernel against it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.inference import int4
from reference_impl.inference.int4 import (
    GROUP,
    Int4Weight,
    dequantize_int4,
    pack,
    packing_block,
    quantize_int4,
    unpack,
)

ROWS = [1, 3, 16, 64, 65, 200]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(result: torch.Tensor, expected: torch.Tensor) -> float:
    return ((result.float() - expected).norm() / expected.norm()).item()


def oracle(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The definition, in fp32, with the last group filled with copies of its last weight."""
    missing = -weight.size(1) % GROUP
    whole = torch.cat([weight, weight[:, -1:].expand(-1, missing)], dim=1)
    return x.float() @ dequantize_int4(*quantize_int4(whole))[:, : weight.size(1)].t()


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


@pytest.mark.parametrize("outputs", [16, 32, 48, 64, 112, 144, 256])
def test_unpack_undoes_pack(outputs: int) -> None:
    block = packing_block()
    if block is None:
        pytest.skip("this CPU packs in an order that isn't known")
    codes = torch.randint(0, 16, (outputs, 64), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(unpack(pack(codes), block).t().int(), codes)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 64), (33, 45), (1, 7), (144, 96)])
def test_every_number_of_rows_equals_the_oracle(rows: int, outputs: int, inputs: int) -> None:
    weight, x = normal(outputs, inputs), normal(rows, inputs, seed=1).bfloat16()
    y = Int4Weight(weight).matmul(x)
    assert y.dtype == torch.bfloat16 and y.shape == (rows, outputs)
    assert relative_error(y, oracle(x, weight)) < 0.005  # the rounding of the result to bf16


def test_a_weight_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_impl.inference.blocked_matmul.BLOCK_ELEMENTS", 1 << 12)
    weight = normal(300, 40)
    quantised = Int4Weight(weight)
    for rows in (5, 150):
        x = normal(rows, 40, seed=1).bfloat16()
        assert relative_error(quantised.matmul(x), oracle(x, weight)) < 0.005


def test_an_unknown_packing_still_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int4, "packing_block", lambda: None)
    weight, x = normal(96, 64), normal(200, 64, seed=1).bfloat16()
    assert relative_error(Int4Weight(weight).matmul(x), oracle(x, weight)) < 0.005


def test_five_bits_a_weight() -> None:
    quantised = Int4Weight(normal(64, 96))
    assert 8 * (quantised.packed.nbytes + quantised.scale_and_zero.nbytes) == 5 * 64 * 96


@pytest.mark.parametrize("rows", [4, 200])
def test_a_wrong_group_order_would_be_seen(rows: int) -> None:
    """The known-bad case: the scales and zero points of the groups the other way round."""
    weight, x = normal(96, 128) * torch.linspace(0.5, 2, 128), normal(rows, 128, seed=1).bfloat16()
    wrong = Int4Weight(weight)
    wrong.scale_and_zero.copy_(wrong.scale_and_zero.flip(0))
    assert relative_error(wrong.matmul(x), oracle(x, weight)) > 0.05


@pytest.mark.parametrize("rows", [4, 200])
def test_a_wrong_output_order_would_be_seen(rows: int) -> None:
    weight, x = normal(96, 64), normal(rows, 64, seed=1).bfloat16()
    wrong = Int4Weight(weight)
    wrong.packed.copy_(pack(quantize_int4(weight)[0].roll(1, 0)))
    assert relative_error(wrong.matmul(x), oracle(x, weight)) > 0.05
