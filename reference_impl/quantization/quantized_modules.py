"""Stand-ins for `nn.Linear` and `nn.Embedding` whose weight is stored in another format than it is used in.

The weight is a module of its own, so that a head and an embedding can share it as they share a parameter.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from reference_impl.quantization.weight_format import WeightFormat


class QuantizedLinear(nn.Module):
    """x W^T + b over a stored weight. Gives back the type that it is given."""

    bias: Tensor | None

    def __init__(self, weight: WeightFormat, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = weight
        self.in_features, self.out_features = weight.in_features, weight.out_features
        self.register_buffer("bias", None if bias is None else bias.detach().to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in) -> (..., out)."""
        y = self.weight.matmul(x.reshape(-1, x.size(-1)))
        if self.bias is not None:
            y = y + self.bias.to(y.dtype)
        return y.reshape(*x.shape[:-1], y.size(-1))


class LookedUp(Protocol):
    """A weight whose rows can be looked up."""

    def rows(self, indices: Tensor) -> Tensor:
        """indices: (...) -> (..., in)."""


class QuantizedEmbedding(nn.Module):
    """Looks rows up in a stored weight, often the one that the head multiplies with. Gives `dtype`."""

    def __init__(self, weight: LookedUp, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = weight
        self.dtype = dtype

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (...) int64 -> (..., width)."""
        return self.weight.rows(tokens).to(self.dtype)
