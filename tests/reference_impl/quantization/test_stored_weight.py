"""A stored weight stands where a tensor stood: whatever a forward pass does with it comes out as with a dense copy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reference_impl.quantization.int4 import Int4Weight
from reference_impl.quantization.int8 import Int8Weight
from reference_impl.quantization.linear_layers import is_linear
from reference_impl.quantization.quantize import left_wide, quantize_
from reference_impl.quantization.stored_weight import StoredExperts, StoredWeight, store_experts

OUT, IN, EXPERTS = 24, 40, 3


def matrix(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[Int8Weight, Int4Weight])
def weight(request: pytest.FixtureRequest) -> StoredWeight:
    made: StoredWeight = request.param(matrix(OUT, IN))
    made.dtype = torch.float32
    return made


X = matrix(5, IN)

READINGS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda w: F.linear(X, w),
    "linear with a bias": lambda w: F.linear(X, w, bias=torch.ones(OUT)),
    "times its transpose": lambda w: X @ w.T,
    "times its mT": lambda w: torch.matmul(X, w.mT),
    "times t()": lambda w: X.mm(w.t()),
    "from the left": lambda w: torch.ones(2, OUT) @ w,
    "look-up": lambda w: F.embedding(torch.tensor([[3, 1]]), w),
    "an index": lambda w: w[3],
    "a slice": lambda w: w[2:4, ::2],
    "in another type": lambda w: w.float() + w.to(torch.float32) + w.type(torch.float32),
    "arithmetic": lambda w: torch.add(w, 1).sum(),
    "reshaped": lambda w: w.view(2, -1).unsqueeze(0),
    "in a list": lambda w: torch.cat([w, torch.zeros(1, IN)]),
    "its shape": lambda w: torch.tensor([*w.shape, w.size(0), w.dim(), w.ndim, len(w), w.numel()]),
}


@pytest.mark.parametrize("reading", READINGS)
def test_a_matrix(weight: StoredWeight, reading: str) -> None:
    torch.testing.assert_close(
        READINGS[reading](weight).float(), READINGS[reading](weight.whole()).float(), rtol=0.02, atol=0.03
    )
    assert (weight.device, weight.requires_grad, bool(weight)) == (torch.device("cpu"), False, True)


@pytest.mark.parametrize("transposed", [False, True])
def test_experts(transposed: bool) -> None:
    original = matrix(EXPERTS, IN, OUT) if transposed else matrix(EXPERTS, OUT, IN)
    stored = store_experts(original, transposed, Int8Weight)
    for one in stored.experts:
        one.dtype = torch.float32
    dense = stored.whole()
    assert stored.shape == original.shape and (dense - original).abs().max() < 0.02
    for number in (1, torch.tensor(1)):
        got = X @ stored[number] if transposed else F.linear(X, stored[number])
        expected = X @ dense[1] if transposed else F.linear(X, dense[1])
        torch.testing.assert_close(got, expected, rtol=0.02, atol=0.03)
    torch.testing.assert_close(stored[torch.tensor([2, 0])], dense[[2, 0]])
    inputs = matrix(EXPERTS, 2, IN if transposed else OUT)
    torch.testing.assert_close(torch.bmm(inputs, stored), torch.bmm(inputs, dense), rtol=0.02, atol=0.06)
    torch.testing.assert_close(stored.transpose(1, 2), dense.transpose(1, 2))


def test_a_module_of_weights_is_copied_and_moved_as_modules_are(weight: StoredWeight) -> None:
    again = copy.deepcopy(nn.ModuleDict({"w": weight})).to("cpu")
    assert isinstance(again["w"], type(weight)) and torch.equal(again["w"].whole(), weight.whole())


class Plain(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return input @ self.weight.T + self.bias


class Doubled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class Raises(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        raise RuntimeError("only with a cache")


class Scaled(nn.Embedding):
    def forward(self, input: Tensor) -> Tensor:
        return 3 * super().forward(input)


class Mixture(nn.Module):
    is_transposed = False

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.Parameter(matrix(EXPERTS, OUT, OUT))
        self.experts_bias = nn.Parameter(matrix(EXPERTS, OUT))
        self.router = nn.Parameter(matrix(EXPERTS, OUT))

    def forward(self, x: Tensor) -> Tensor:
        scores = F.linear(x, self.router).softmax(-1)
        parts = [F.linear(x, self.experts[e]) + self.experts_bias[e] for e in range(EXPERTS)]
        return sum(scores[..., e, None] * part for e, part in enumerate(parts))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = Scaled(31, OUT)
        self.positions = Scaled(9, OUT)
        self.plain, self.doubled = Plain(OUT, OUT), Doubled(OUT, OUT)
        self.mixture = Mixture()
        self.head = nn.Linear(OUT, 31, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.positions(torch.arange(tokens.size(1)))
        logits: Tensor = self.head(self.mixture(self.doubled(self.plain(x))))
        return logits


def test_which_subclass_is_a_linear_layer() -> None:
    assert is_linear(Plain(4, 3)) and not is_linear(Doubled(4, 3)) and not is_linear(Raises(4, 3))
    assert is_linear(type("Named", (nn.Linear,), {})(4, 3))


@pytest.mark.parametrize("scheme", ["bf16", "int8", "int4"])
def test_every_way_to_read_a_weight(scheme: Any) -> None:
    torch.manual_seed(0)
    model, tokens = Model().eval(), torch.tensor([[1, 2, 3, 4]])
    expected = model(tokens)
    quantize_(model, scheme, torch.float32)
    error = (model(tokens) - expected).norm() / expected.norm()
    assert 0 < error < {"bf16": 0.02, "int8": 0.05, "int4": 0.4}[scheme]
    assert isinstance(model.mixture.experts, StoredExperts)
    assert type(model.plain).__name__ == "QuantizedLinear" and type(model.doubled) is Doubled
    assert isinstance(model.doubled.weight, StoredWeight)
    assert (model.embed.weight is model.head.weight) is (scheme != "int4")
    wide = left_wide(model, scheme)
    assert wide.pop("positions.weight", None) == (None if scheme == "bf16" else "an embedding that is only looked up")
    assert wide == {
        "mixture.experts_bias": "a bias",
        "mixture.router": "a parameter of Mixture, which is no linear layer",
    }
