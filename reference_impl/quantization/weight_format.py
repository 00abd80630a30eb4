"""What every way to store a weight has in common, and how a product with it is computed.

With few rows of activations a product is bound by the bytes of the weight, and the kernel that reads it as it is
stored is asked. With many rows it is bound by arithmetic, and the dense product of the type that the processor is good
at beats every integer kernel: the weight is widened a block of rows at a time, so that the wide copy stays in the
processor's cache and a large head doesn't double the model's memory.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reference_impl.native.matrix import Matrix, native_product, native_widen
from reference_impl.training.precision import cpu_multiplies_bf16

BLOCK_ELEMENTS = 1 << 20
"""Weights that are widened at a time (4 MB in fp32)."""

KERNEL_ROWS = 16
"""Up to so many rows of activations the kernel wins (benchmarks/quantized_linear.py)."""


class WeightFormat(Protocol):
    """A weight (out, in), however it is stored; an `nn.Module` whose buffers it is."""

    out_features: int
    in_features: int

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out), in the type of x."""

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight, as they stand for: (stop - start, in) fp32."""


class NativeFormat(WeightFormat, Protocol):
    """One that the compiled kernel reads."""

    def matrix(self, bias: Tensor | None = None) -> Matrix:
        """The weight as the kernel sees it, with a bias (out,) fp32."""


@cache
def dense_type(device_type: str) -> torch.dtype:
    """The floating type whose dense matrix products are fast on this kind of device.

    A CPU without bf16 instructions emulates them: with 512 rows bf16 takes 7 times as long as fp32 under AVX2
    (benchmarks/quantized_linear.py measures it).
    """
    return torch.bfloat16 if device_type != "cpu" or cpu_multiplies_bf16() else torch.float32


def row_blocks(outputs: int, inputs: int) -> list[tuple[int, int]]:
    """Ranges [start, stop) over a weight's output rows, each of about BLOCK_ELEMENTS and a multiple of 64."""
    step = max(64, BLOCK_ELEMENTS // inputs // 64 * 64)
    return [(start, min(start + step, outputs)) for start in range(0, outputs, step)]


def kernel_matmul(weight: NativeFormat, x: Tensor) -> Tensor | None:
    """The product by the compiled kernel; None for many rows, on a GPU, or without a kernel."""
    return native_product(weight.matrix(), x) if x.size(0) <= KERNEL_ROWS else None


def dense_matmul(weight: WeightFormat, x: Tensor) -> Tensor:
    """The product with the weight widened a block at a time, in the fast type of the device.

    x: (rows, in). Returns (rows, out) in the type of x.
    """
    wide_type = dense_type(x.device.type)
    wide = x.to(wide_type)
    blocks = row_blocks(weight.out_features, weight.in_features)
    y = wide.new_empty(x.size(0), weight.out_features)
    scratch = torch.empty(0) if x.device.type != "cpu" else torch.empty(blocks[0][1], weight.in_features)
    for start, stop in blocks:
        y[:, start:stop] = F.linear(wide, _widened(weight, start, stop, scratch).to(wide_type))
    return y.to(x.dtype)


def _widened(weight: WeightFormat, start: int, stop: int, scratch: Tensor) -> Tensor:
    described = getattr(weight, "matrix", None)
    if described is not None and len(scratch) and native_widen(described(), start, stop, scratch):
        return scratch[: stop - start]
    return weight.dense(start, stop)
