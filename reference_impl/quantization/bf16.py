"""Weights as bf16: half of fp32's bytes, the upper half of each number.

Not a quantization that anybody would notice, but a format of its own here, because few processors compute in it: a CPU
without bf16 instructions multiplies many rows seven times as slowly as in fp32. So the weight is widened as it is read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.native.matrix import Matrix, matrix
from reference_impl.quantization.stored_weight import StoredWeight
from reference_impl.quantization.weight_format import dense_matmul, kernel_matmul


class Bf16Weight(StoredWeight):
    """A weight (out, in) in bf16; may be shared by a head and an embedding."""

    values: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("values", weight.detach().to(torch.bfloat16).contiguous())

    def rows(self, indices: Tensor) -> Tensor:
        """Rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        return self.values[indices]

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight: (stop - start, in) fp32."""
        return self.values[start:stop].float()

    def matrix(self, bias: Tensor | None = None) -> Matrix:
        """The weight as the compiled kernel sees it."""
        return matrix("bf16", self.out_features, self.in_features, self.values, bias=bias)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out)."""
        y = kernel_matmul(self, x)
        return dense_matmul(self, x) if y is None else y
