"""LLM.int8: weights and activations as 8-bit integers, the few loud inputs in higher precision.

Each row of activations is rounded in units of its own largest value, so the product is one of integers. From about
6.7 billion parameters on some inputs are a hundred times as loud as the rest and would leave the rest no
resolution: activations that reach the threshold are multiplied in fp32 instead.

Which are loud is decided row by row. Decided for a column of the whole matrix, as the paper does, one token changes
how another is rounded: a later token reaches back to an earlier one, and a sequence depends on its batch.

Dettmers, Lewis, Belkada, Zettlemoyer: LLM.int8(), NeurIPS 2022 (arXiv:2208.07339), section 3. The weights are those of
`int8.py`, and the loud inputs meet these weights, as in bitsandbytes' inference: the integers are all that is kept.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from reference_impl.quantization.int8 import Int8Weight
from reference_impl.quantization.stored_weight import StoredWeight
from reference_impl.quantization.weight_format import row_blocks

THRESHOLD = 6.0
"""From this magnitude on an activation is loud (the paper's alpha, section 3.2)."""

EXACT_TERMS = 1024
"""So many products of two integers up to 127 sum up to less than 2^24, which fp32 holds exactly."""


class DynamicInt8Weight(StoredWeight):
    """A weight (out, in) as integers that is multiplied with activations rounded to integers.

    No subclass of `Int8Weight`: kernels that leave the activations as they are would take it for one.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.stored = Int8Weight(weight)

    def rows(self, indices: Tensor) -> Tensor:
        """Dequantized rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        return self.stored.rows(indices)

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight: (stop - start, in) fp32."""
        return self.stored.dense(start, stop)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out), in the type of x."""
        wide = x.float()
        loud = wide.abs() >= THRESHOLD
        codes, step = quantize_rows(wide.masked_fill(loud, 0))
        values = self.stored.values[:, : self.in_features]
        y = integer_product(codes, values) * step[:, None]
        columns = loud.any(dim=0).nonzero()[:, 0]
        if len(columns):
            y += (wide * loud)[:, columns] @ values[:, columns].float().t()
        return y.mul_(self.stored.scale.float()).to(x.dtype)


def quantize_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to -127..127 in units of its own step. x: (rows, in) fp32 -> (rows, in) int8, (rows,) fp32."""
    step = (x.abs().amax(dim=1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return (x / step[:, None]).round().to(torch.int8), step


def integer_product(a: Tensor, b: Tensor) -> Tensor:
    """The exact a b^T of integers between -127 and 127, as fp32 (rounded once beyond 2^24).

    a: (rows, in) int8, b: (out, in) int8 -> (rows, out).
    """
    if has_integer_kernel(a.device.type):
        return _integer_kernel(a, b)
    y = a.new_empty(len(a), len(b), dtype=torch.float32)
    terms = torch.split(a.float(), EXACT_TERMS, dim=1)
    for start, stop in row_blocks(len(b), b.size(1)):
        blocks = torch.split(b[start:stop], EXACT_TERMS, dim=1)
        total = torch.zeros(len(a), stop - start, dtype=torch.float64 if len(terms) > 1 else torch.float32)
        for left, right in zip(terms, blocks, strict=True):
            total = total.to(a.device).add_(left @ right.float().t())
        y[:, start:stop] = total
    return y


@cache
def has_integer_kernel(device_type: str) -> bool:
    """Whether torch's integer product is to be used: quick here, and right on the largest values.

    Without AVX-512 it runs one number at a time (20 times as slow as fp32). Kernels that make one side unsigned and add
    pairs of products in 16 bits saturate without VNNI: 2 * 255 * 127 is above 32767.
    """
    if device_type == "cpu" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    largest = torch.full((32, 64), 127, dtype=torch.int8, device=device_type)
    try:
        return bool((_integer_kernel(largest, -largest) == -64 * 127 * 127).all())
    except RuntimeError:
        return False


def which_kernel(device_type: str = "cpu") -> str:
    """Which code multiplies the integers on this kind of device, for a report."""
    return "torch._int_mm" if has_integer_kernel(device_type) else "exact integer products in fp32"


def _integer_kernel(a: Tensor, b: Tensor) -> Tensor:
    """torch._int_mm, which wants more than 16 rows and multiples of 8 on a GPU: padded with zeros."""
    rows, outputs = len(a), len(b)
    more_terms = -a.size(1) % 8
    a = torch.nn.functional.pad(a, (0, more_terms, 0, max(0, 17 - rows)))
    b = torch.nn.functional.pad(b, (0, more_terms, 0, -outputs % 8))
    return torch._int_mm(a, b.t())[:rows, :outputs].float()
