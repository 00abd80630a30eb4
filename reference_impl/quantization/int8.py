"""Weights as 8-bit integers with one scale per output channel (weight-only, symmetric).

Half the bytes of bf16 for an error under one percent: the plain choice for decoding, which is bound by the bytes
read. `quantize_int8` and `dequantize_int8` are the whole definition; the kernels are tested against them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reference_impl.native.build import native_library
from reference_impl.native.matrix import Matrix, matrix
from reference_impl.quantization.stored_weight import StoredWeight
from reference_impl.quantization.weight_format import dense_matmul, kernel_matmul, row_blocks

PACKED_OP_ROWS = 8
"""Without the compiled kernel: up to as many rows of activations torch's integer kernel is used, beyond it the dense
product. On a CPU with AVX2 the two meet between 8 and 16 rows (benchmarks/quantized_linear.py)."""

INPUTS_MULTIPLE = 32
"""Rows are padded with zeros to a multiple of this: the CPU kernels read whole vectors and have no tail (with 33
inputs torch's reads past the end and crashes)."""

ALIGNED = 64
"""torch's integer kernel reads whole vectors from aligned addresses, and crashes where a weight that was mapped from a
file begins elsewhere (ATen/native/cpu/int8mm_kernel.cpp, `_mm_load_si128`)."""


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to -127..127 in units of its own scale.

    weight: (out, in) float. Returns values: (out, in) int8 and scale: (out,) bf16. The scale is rounded to bf16
    before the values are chosen, so that its rounding adds no error.
    """
    weight = weight.float()
    scale = (weight.abs().amax(dim=1) / 127).to(torch.bfloat16)
    scale = scale.clamp(min=torch.finfo(torch.bfloat16).tiny)  # a row of zeros
    values = (weight / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
    return values, scale


def dequantize_int8(values: Tensor, scale: Tensor) -> Tensor:
    """What the integers stand for: (out, in) fp32."""
    return values.float() * scale.float()[:, None]


class Int8Weight(StoredWeight):
    """A weight (out, in) as integers; may be shared by a head and an embedding."""

    values: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        padded = -(-self.in_features // INPUTS_MULTIPLE) * INPUTS_MULTIPLE
        values = torch.zeros(self.out_features, padded, dtype=torch.int8, device=weight.device)
        scale = torch.empty(self.out_features, dtype=torch.bfloat16, device=weight.device)
        for start, stop in [] if weight.is_meta else row_blocks(self.out_features, self.in_features):
            values[start:stop, : self.in_features], scale[start:stop] = quantize_int8(weight[start:stop])
        self.register_buffer("values", values)
        self.register_buffer("scale", scale)

    def rows(self, indices: Tensor) -> Tensor:
        """Dequantized rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        return self.values[indices, : self.in_features] * self.scale[indices].unsqueeze(-1)

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight: (stop - start, in) fp32."""
        return dequantize_int8(self.values[start:stop, : self.in_features], self.scale[start:stop])

    def matrix(self, bias: Tensor | None = None) -> Matrix:
        """The weight as the compiled kernel sees it."""
        return matrix("int8", self.out_features, self.in_features, self.values, self.scale, bias=bias)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out)."""
        y = kernel_matmul(self, x)
        if y is not None:
            return y
        if x.device.type != "cpu" or x.size(0) > PACKED_OP_ROWS or native_library().library is not None:
            return dense_matmul(self, x)
        if self.values.data_ptr() % ALIGNED:
            self.values = self.values.clone()
        # Any type but bf16 would drop torch's kernel onto a scalar path, 8 to 200 times as slow; it also takes
        # nothing but contiguous rows.
        padded = F.pad(x.to(torch.bfloat16), (0, self.values.size(1) - self.in_features)).contiguous()
        return torch.ops.aten._weight_int8pack_mm(padded, self.values, self.scale).to(x.dtype)  # type: ignore[no-any-return]
