"""NF4 and FP4: bitsandbytes' numbers against the written-out definition."""

from __future__ import annotations

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reference_impl.quantization.bitsandbytes_weight import BitsAndBytesWeight, which_kernel
from reference_impl.quantization.four_bit_float import BLOCK, VALUES, Format, dequantize_four_bit, quantize_four_bit

FORMATS: tuple[Format, ...] = ("nf4", "fp4")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def dense(weight: BitsAndBytesWeight) -> Tensor:
    """The whole weight, looked up row by row."""
    return weight.rows(torch.arange(weight.out_features)).float()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    format=st.sampled_from(FORMATS),
    outputs=st.integers(1, 40),
    inputs=st.integers(1, 300),
    scale=st.floats(1e-4, 1e2),
    seed=st.integers(0, 999),
)
def test_bitsandbytes_gives_the_nearest_of_the_sixteen_values(
    format: Format, outputs: int, inputs: int, scale: float, seed: int
) -> None:
    weight = scale * draw(outputs, inputs, seed=seed)
    codes, scales = quantize_four_bit(F.pad(weight, (0, -inputs % BLOCK)), format)
    want = dequantize_four_bit(codes, scales, format)[:, :inputs]
    # bitsandbytes compares with midpoints that are rounded to a few digits: a weight on one may go to either side
    got = dense(BitsAndBytesWeight(weight, format))
    far = (got - want).abs() > 0.01 * want.abs().amax()
    assert far.float().mean() < 0.005
    assert ((got - weight).abs() <= (want - weight).abs() + 0.01 * weight.abs().amax()).all()


@pytest.mark.parametrize("format", FORMATS)
def test_the_table_is_bitsandbytes_own(format: Format) -> None:
    functional = importlib.import_module("bitsandbytes.functional")
    table = functional.get_4bit_type(format, device="cpu")
    assert torch.allclose(torch.tensor(VALUES[format]), table, atol=1e-6)


def test_nf4_values_are_quantiles_of_a_normal_distribution() -> None:
    # Dettmers et al. 2023, appendix E: the means of neighboring quantiles between an offset and 1/2, on either side
    offset = 0.5 * (1 / 32 + 1 / 30)  # the tail that is left out
    normal = torch.distributions.Normal(0.0, 1.0)
    above = normal.icdf(torch.linspace(1 - offset, 0.5, 9)[:-1])
    below = -normal.icdf(torch.linspace(1 - offset, 0.5, 8)[:-1])
    values = torch.cat((above, torch.zeros(1), below)).sort().values
    assert torch.allclose(values / values.abs().max(), torch.tensor(VALUES["nf4"]), atol=2e-3)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 96, 64), (5, 33, 100), (40, 16, 7)])
def test_the_product_is_that_with_the_dense_weight(format: Format, rows: int, outputs: int, inputs: int) -> None:
    weight = BitsAndBytesWeight(draw(outputs, inputs), format)
    x = draw(rows, inputs, seed=1).to(torch.bfloat16)
    got = weight.matmul(x)
    assert got.shape == (rows, outputs) and got.dtype == torch.bfloat16
    want = x.float() @ dense(weight).t()
    assert (got.float() - want).abs().max() <= 0.01 * want.abs().max()


def test_nf4_is_nearer_than_fp4_on_normal_weights() -> None:
    weight = draw(64, 512)
    errors = {format: float((dense(BitsAndBytesWeight(weight, format)) - weight).square().mean()) for format in FORMATS}
    assert errors["nf4"] < 0.8 * errors["fp4"]


def test_a_weight_takes_four_and_a_half_bits() -> None:
    weight = BitsAndBytesWeight(draw(128, 576), "nf4")
    assert weight.packed.nbytes + weight.scale.nbytes == 128 * 576 * 4.5 / 8


def test_blocks_of_zeros_stay_zeros() -> None:
    assert (dense(BitsAndBytesWeight(torch.zeros(3, 130), "nf4")) == 0).all()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name.partition('.')[0]}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"need the package bitsandbytes .*pip install bitsandbytes"):
        BitsAndBytesWeight(draw(4, 64), "nf4")


def test_the_kernel_is_told() -> None:
    assert "dequantized by bitsandbytes" in which_kernel("cpu")
    assert "fused" in which_kernel("cuda")
