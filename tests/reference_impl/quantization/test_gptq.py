"""GPTQ against the slow way to do it, against rounding to nearest, and on a model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.quantization.gptq import Int4Codes, error_feedback, gptq_codes, quantize_columns
from reference_impl.quantization.int4 import GROUP, dequantize_int4, quantize_int4


def correlated(rows: int, inputs: int, seed: int) -> Tensor:
    """Activations as models have them: a few directions and a few inputs carry most of the variance."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.randn(max(inputs // 8, 1), inputs, generator=draw)
    loud = 1 + 4 * (torch.rand(inputs, generator=draw) < 0.05)
    signal = torch.randn(rows, len(directions), generator=draw) @ directions
    return (signal + 0.3 * torch.randn(rows, inputs, generator=draw)) * loud


def rounded(weight: Tensor) -> Int4Codes:
    codes, scale, zero = quantize_int4(weight)
    return Int4Codes(codes.to(torch.uint8), scale, zero, weight.size(1))


def column_by_column(weight: Tensor, hessian: Tensor, damping: float = 0.01) -> Tensor:
    """Optimal brain quantization in a fixed order (Frantar et al. 2022, equations 2 and 3), nothing batched.

    After each column the inverse of the Hessian of what is left is made again, and every column that is left is moved
    by -(w - q) / [H^-1]_00 * [H^-1]_0. float64. Returns the dense weight.
    """
    weight, hessian = weight.double().clone(), hessian.double()
    hessian = hessian + damping * hessian.diagonal().mean() * torch.eye(len(hessian))
    result = torch.empty_like(weight)
    for i in range(weight.size(1)):
        if i % GROUP == 0:
            _, scale, zero = quantize_int4(weight[:, i : i + GROUP])
        code = ((weight[:, i] - zero[:, 0].double()) / scale[:, 0].double() + 8).round().clamp(0, 15)
        result[:, i] = (code - 8) * scale[:, 0].double() + zero[:, 0].double()
        inverse = torch.linalg.inv(hessian[i:, i:])
        error = (weight[:, i] - result[:, i]) / inverse[0, 0]
        weight[:, i:] -= error[:, None] * inverse[0]
    return result.float()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(groups=st.integers(1, 6), outputs=st.integers(1, 40), seed=st.integers(0, 999))
def test_the_blocked_way_gives_what_column_by_column_gives(groups: int, outputs: int, seed: int) -> None:
    inputs = groups * GROUP
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    x = correlated(4 * inputs, inputs, seed)
    hessian = x.t() @ x
    fast = quantize_columns(weight, error_feedback(hessian)).dense()
    slow = column_by_column(weight, hessian)
    # a tie that is rounded the other way moves what follows: as good, and rare
    assert (fast - slow).abs().gt(1e-3).any(dim=1).float().mean() <= 0.05
    assert torch.linalg.norm(x @ (fast - weight).t()) == pytest.approx(
        float(torch.linalg.norm(x @ (slow - weight).t())), rel=0.02
    )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(inputs=st.integers(1, 200), outputs=st.integers(1, 20), factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_with_uncorrelated_inputs_it_is_rounding_to_nearest(
    inputs: int, outputs: int, factor: float, seed: int
) -> None:
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    padded = -(-inputs // GROUP) * GROUP
    hessian = torch.zeros(padded, padded)
    hessian.diagonal()[:inputs] = factor
    got = quantize_columns(weight, error_feedback(hessian))
    codes, scale, zero = quantize_int4(
        nn.functional.pad(weight[None], (0, padded - inputs), mode="replicate")[0],
    )
    assert torch.equal(got.codes.int(), codes) and torch.equal(got.scale, scale) and torch.equal(got.zero, zero)
    assert got.dense().shape == weight.shape


@pytest.mark.parametrize("inputs", [64, 96, 256, 320])
def test_outputs_are_nearer_than_with_rounding(inputs: int) -> None:
    weight = torch.randn(48, inputs, generator=torch.Generator().manual_seed(1))
    x, held_out = correlated(6 * inputs, inputs, 0).split([4 * inputs, 2 * inputs])
    got = quantize_columns(weight, error_feedback(x.t() @ x)).dense()

    def error(dense: Tensor) -> float:
        return float((held_out @ (dense - weight).t()).square().mean())

    assert error(got) < 0.5 * error(rounded(weight).dense())


class Tiny(nn.Module):
    """An embedding, two residual blocks that share an input over two layers, and a head."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, width)
        self.up = nn.ModuleList(nn.Linear(width, 96) for _ in range(2))
        self.gate = nn.ModuleList(nn.Linear(width, 96) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(96, width) for _ in range(2))
        self.head = nn.Linear(width, 50, bias=False)
        self.unused = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for up, gate, down in zip(self.up, self.gate, self.down, strict=True):
            x = x + down(up(x) * torch.sigmoid(gate(x)))
        logits: Tensor = self.head(x)
        return logits


@pytest.fixture
def model() -> Tiny:
    torch.manual_seed(0)
    return Tiny()


BATCHES = [torch.randint(0, 50, (4, 32), generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


@pytest.mark.parametrize("hessian_bytes", [1 << 30, 1], ids=["at once", "one by one"])
def test_a_model_s_layers_are_calibrated_and_its_weights_left_alone(model: Tiny, hessian_bytes: int) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    codes = gptq_codes(model, BATCHES, hessian_bytes=hessian_bytes)
    assert set(codes) == {*model.up, *model.gate, *model.down, model.head}  # not the one that never ran
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    held_out = torch.randint(0, 50, (8, 32), generator=torch.Generator().manual_seed(9))
    want = model(held_out)

    def error(dense: dict[nn.Module, Tensor]) -> float:
        for layer, weight in dense.items():
            layer.weight.data.copy_(weight)  # type: ignore[operator, union-attr]
        found = float((model(held_out) - want).square().mean())
        model.load_state_dict(before)
        return found

    nearest = error({layer: dequantize_int4(*quantize_int4(layer.weight)) for layer in codes})  # type: ignore[arg-type]
    assert error({layer: found.dense() for layer, found in codes.items()}) < 0.8 * nearest


def test_the_same_text_gives_the_same_codes(model: Tiny) -> None:
    first, second = gptq_codes(model, BATCHES), gptq_codes(model, BATCHES)
    assert all(torch.equal(first[layer].codes, second[layer].codes) for layer in first)


def test_bad_input_is_one_sentence(model: Tiny) -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        gptq_codes(model, [])
    model.down[1].weight.data[3, 4] = torch.nan  # type: ignore[index, operator, union-attr]
    with pytest.raises(ValueError, match=r"weights of down\.1 are not finite"):
        gptq_codes(model, BATCHES)
    model.down[1].weight.data[3, 4] = 0  # type: ignore[index, operator, union-attr]
    model.embedding.weight.data[7] = torch.inf
    with pytest.raises(ValueError, match=r"inputs of up\.0 are not finite"):
        gptq_codes(model, [torch.full((1, 4), 7)])
