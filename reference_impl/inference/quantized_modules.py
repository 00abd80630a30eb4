"""Stand-ins for `nn.Linear` and `nn.Embedding` whose weight is kept as integers.

The weight is a module of its own, so that a head and an embedding can share it as they share a parameter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.inference.int4 import Int4Weight
from reference_impl.inference.int8 import Int8Weight


class QuantizedLinear(nn.Module):
    """x W^T + b over an integer weight. Computes in bf16 and gives back the type that it is given."""

    bias: Tensor | None

    def __init__(self, weight: Int8Weight | Int4Weight, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("bias", None if bias is None else bias.detach().to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in) -> (..., out)."""
        # Any other type would drop the CPU kernels onto a scalar path, 8 to 200 times as slow; they also
        # take nothing but contiguous rows.
        y = self.weight.matmul(x.reshape(-1, x.size(-1)).to(torch.bfloat16).contiguous())
        if self.bias is not None:
            y = y + self.bias
        return y.reshape(*x.shape[:-1], y.size(-1)).to(x.dtype)


class QuantizedEmbedding(nn.Module):
    """Looks rows up in an int8 weight, often the one that the head multiplies with. Gives bf16."""

    def __init__(self, weight: Int8Weight) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (...) int64 -> (..., width)."""
        return self.weight.rows(tokens)
