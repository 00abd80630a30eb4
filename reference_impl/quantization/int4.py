"""Weights as 4-bit integers in groups of 32 inputs (weight-only, asymmetric).

Each group of 32 neighboring inputs of one output has its own scale and zero point, so a weight takes
4 + 32/32 = 5 bits. `quantize_int4` and `dequantize_int4` are the whole definition; kernels are tested against them.

In memory and in files a group is 16 bytes: byte i holds element i in its low bits and element i + 16 in its high ones.
torch's own CPU kernel wants another order that depends on the processor, and is used only where the compiled kernel
can't be had, with a copy that is packed for it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reference_impl.native.build import native_library
from reference_impl.native.matrix import Matrix, matrix
from reference_impl.quantization.stored_weight import StoredWeight
from reference_impl.quantization.weight_format import dense_matmul, kernel_matmul, row_blocks

GROUP = 32
"""Neighboring inputs that share a scale and a zero point."""

OUTPUTS_MULTIPLE = 16
"""What torch's packing takes; outputs are padded with zeros for it."""

PACKED_OP_ROWS = 64
"""Without the compiled kernel: up to as many rows of activations torch's integer kernel is used, beyond it the dense
product. On a CPU with AVX2 the two meet at about 64 rows (benchmarks/quantized_linear.py)."""


def quantize_int4(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Round each group of 32 inputs to 0..15 between its own smallest and largest weight.

    weight: (out, in) float, `in` a multiple of 32. Returns codes: (out, in) int32, and scale and zero: (out, in / 32)
    bf16; a code stands for (code - 8) * scale + zero, torch's convention. Scale and zero are rounded to bf16
    before the codes are chosen, so that their rounding adds little error.
    """
    groups = weight.float().unflatten(1, (-1, GROUP))  # type: ignore[no-untyped-call]
    low, high = groups.amin(-1), groups.amax(-1)
    scale = ((high - low) / 15).clamp(min=torch.finfo(torch.bfloat16).tiny).to(torch.bfloat16)
    zero = (low + 8 * scale.float()).to(torch.bfloat16)
    codes = ((groups - zero.float()[..., None]) / scale.float()[..., None] + 8).round().clamp(0, 15)
    return codes.flatten(1).int(), scale, zero


def dequantize_int4(codes: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """What the codes stand for: (out, in) fp32."""
    groups = codes.float().unflatten(1, (-1, GROUP))  # type: ignore[no-untyped-call]
    weight: Tensor = (groups - 8) * scale.float()[..., None] + zero.float()[..., None]
    return weight.flatten(1)


def join(codes: Tensor) -> Tensor:
    """Two codes a byte. codes: (out, in) 0..15, `in` a multiple of 32. Returns (out, in / 2) uint8."""
    halves = codes.to(torch.uint8).unflatten(1, (-1, 2, GROUP // 2))  # type: ignore[no-untyped-call]
    joined: Tensor = halves[:, :, 0] | (halves[:, :, 1] << 4)
    return joined.flatten(1).contiguous()


def split(joined: Tensor) -> Tensor:
    """The codes: (out, in / 2) uint8 -> (out, in) uint8."""
    groups = joined.unflatten(1, (-1, 1, GROUP // 2))  # type: ignore[no-untyped-call]
    return torch.cat((groups & 15, groups >> 4), dim=2).flatten(1)


class Int4Weight(StoredWeight):
    """A weight (out, in) as joined codes; may be shared by several layers."""

    codes: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        if weight.is_meta:  # a place for codes that come later
            shape = (weight.size(0), -(-weight.size(1) // GROUP))
            codes = weight.new_empty(shape[0], shape[1] * GROUP // 2, dtype=torch.uint8)
            self._hold(weight.size(1), codes, *(weight.new_empty(shape, dtype=torch.bfloat16) for _ in range(2)))
            return
        parts = []
        for start, stop in row_blocks(*weight.shape):
            # Inputs are padded with copies of the last, which leave its group's range as it is.
            rows = F.pad(weight[None, start:stop].float(), (0, -weight.size(1) % GROUP), mode="replicate")[0]
            codes, scale, zero = quantize_int4(rows)
            parts.append((join(codes), scale, zero))
        self._hold(weight.size(1), *(torch.cat(part) for part in zip(*parts, strict=True)))

    @classmethod
    def from_codes(cls, codes: Tensor, scale: Tensor, zero: Tensor, in_features: int) -> Int4Weight:
        """From what `quantize_int4` gives, or another way to choose codes. in_features: without padding."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._hold(in_features, join(codes), scale.to(torch.bfloat16), zero.to(torch.bfloat16))
        return made

    def _hold(self, in_features: int, codes: Tensor, scale: Tensor, zero: Tensor) -> None:
        self.out_features, self.in_features = codes.size(0), in_features
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale.contiguous())
        self.register_buffer("zero", zero.contiguous())
        self._packed: tuple[Tensor, Tensor] | None = None

    def rows(self, indices: Tensor) -> Tensor:
        """Dequantized rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        flat = indices.flatten()
        found = dequantize_int4(split(self.codes[flat]), self.scale[flat], self.zero[flat])
        return found[:, : self.in_features].to(torch.bfloat16).view(*indices.shape, self.in_features)

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight: (stop - start, in) fp32."""
        codes = split(self.codes[start:stop])
        return dequantize_int4(codes, self.scale[start:stop], self.zero[start:stop])[:, : self.in_features]

    def matrix(self, bias: Tensor | None = None) -> Matrix:
        """The weight as the compiled kernel sees it."""
        return matrix("int4", self.out_features, self.in_features, self.codes, self.scale, self.zero, bias)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out)."""
        y = kernel_matmul(self, x)
        if y is not None:
            return y
        if x.device.type != "cpu" or x.size(0) > PACKED_OP_ROWS or native_library().library is not None:
            return dense_matmul(self, x)
        if self._packed is None:
            self._packed = pack_for_torch(split(self.codes), self.scale, self.zero)
        packed, scale_and_zero = self._packed
        # Any type but bf16 would drop torch's kernel onto a scalar path, 8 to 200 times as slow.
        padded = F.pad(x.to(torch.bfloat16), (0, -self.in_features % GROUP)).contiguous()
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(padded, packed, GROUP, scale_and_zero)
        return y[:, : self.out_features].to(x.dtype)  # type: ignore[no-any-return]


def pack_for_torch(codes: Tensor, scale: Tensor, zero: Tensor) -> tuple[Tensor, Tensor]:
    """What torch's CPU kernel reads: codes in this processor's order, and scale with zero (groups, out, 2) bf16."""
    missing = -codes.size(0) % OUTPUTS_MULTIPLE
    codes, scale, zero = (F.pad(part, (0, 0, 0, missing)) for part in (codes.int(), scale, zero))
    packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
    return packed, torch.stack((scale.t(), zero.t()), dim=-1).contiguous()
