"""Weights as 4-bit integers in groups of 32 inputs, activations in bf16 (weight-only, asymmetric).

Each group of 32 neighbouring inputs of one output has its own scale and zero point, so a weight takes
4 + 32/32 = 5 bits. `quantize_int4` and `dequantize_int4` are the whole definition; kernels are tested against them.

torch's CPU kernel wants the integers packed in an order of its own that depends on the processor (AVX2 or AVX-512),
so packed weights are made where they are used and are no format for a file.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reference_impl.inference.blocked_matmul import blocked_matmul, dense_type, row_blocks

GROUP = 32
"""Neighbouring inputs that share a scale and a zero point."""

OUTPUTS_MULTIPLE = 16
"""Outputs are padded with zeros to a multiple of this: what the packing takes."""

PACKED_OP_ROWS = 64
"""Up to as many rows of activations the integer kernel is used, beyond it the dense matrix product.

On a CPU with AVX2 the two meet at about 64 rows; at 256 dense takes half the time (benchmarks/quantized_linear.py)."""


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


def pack(codes: Tensor) -> Tensor:
    """Two codes a byte, in the order that this machine's CPU kernel reads. (out, in) int32 -> (out, in / 2) uint8."""
    packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.cpu(), 1)
    return packed.to(codes.device)


def unpack(packed: Tensor, block: int) -> Tensor:
    """The codes, transposed: (out, in / 2) -> (in, out) uint8.

    In each block of outputs, for one input after the other, a byte holds an output of the block's first half
    (low bits) and the one half a block further (high bits). Outputs that don't fill a block go in pairs.
    """
    outputs, inputs = packed.size(0), 2 * packed.size(1)
    full = outputs // block * block
    halves = packed[:full].reshape(-1, inputs, block // 2)
    codes = torch.empty(inputs, outputs, dtype=torch.uint8, device=packed.device)
    blocks = codes[:, :full].view(inputs, -1, 2, block // 2)
    blocks[:, :, 0] = (halves & 15).transpose(0, 1)
    blocks[:, :, 1] = (halves >> 4).transpose(0, 1)
    pairs = packed[full:].reshape(inputs, -1)
    codes[:, full::2], codes[:, full + 1 :: 2] = pairs & 15, pairs >> 4
    return codes


@cache
def packing_block() -> int | None:
    """How many outputs a block of this machine's packing has; None if it packs in an unknown order.

    torch doesn't say, so every order that is known is tried on a sample.
    """
    sample = torch.randint(0, 16, (2 * 64 + 16, GROUP), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    for block in (64, 32):
        if torch.equal(unpack(pack(sample), block).t().int(), sample):
            return block
    return None


class Int4Weight(nn.Module):
    """A weight (out, in) as packed codes; may be shared by several layers.

    Raises ValueError when it is made for a GPU beside a CPU whose packing is unknown.
    """

    packed: Tensor
    scale_and_zero: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        if weight.device.type != "cpu" and packing_block() is None:
            raise ValueError(
                "int4 weights on a GPU need a CPU whose int4 packing is known (AVX2 or AVX-512): use int8 here."
            )
        packed, scale_and_zero = [], []
        for start, stop in row_blocks(self.out_features, self.in_features):
            # Inputs are padded with copies of the last, which leave its group's range as it is.
            rows = F.pad(weight[None, start:stop].float(), (0, -self.in_features % GROUP), mode="replicate")[0]
            rows = F.pad(rows, (0, 0, 0, -len(rows) % OUTPUTS_MULTIPLE))
            codes, scale, zero = quantize_int4(rows)
            packed.append(pack(codes))
            scale_and_zero.append(torch.stack((scale.t(), zero.t()), dim=-1))
        self.register_buffer("packed", torch.cat(packed))
        self.register_buffer("scale_and_zero", torch.cat(scale_and_zero, dim=1))  # (groups, out, 2)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) bf16 -> (rows, out) bf16."""
        if self.in_features % GROUP:
            x = F.pad(x, (0, -self.in_features % GROUP))
        block = packing_block()
        if x.device.type == "cpu" and (x.size(0) <= PACKED_OP_ROWS or block is None):
            y: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, self.packed, GROUP, self.scale_and_zero)
        else:
            assert block is not None
            dense = dense_type(x.device.type)
            y = blocked_matmul(
                x.to(dense), self.packed.size(0), lambda start, stop: self._dense(start, stop, block).to(dense)
            )
        return y[:, : self.out_features].to(torch.bfloat16)

    def _dense(self, start: int, stop: int, block: int) -> Tensor:
        """Rows start..stop of the weight, dequantised and transposed: (in, stop - start) fp32."""
        codes = unpack(self.packed[start:stop], block)
        scale, zero = self.scale_and_zero[:, None, start:stop].float().unbind(-1)
        groups = codes.view(-1, GROUP, stop - start).float()
        return torch.addcmul(zero - 8 * scale, groups, scale).view(codes.shape)
