"""The two 4-bit floating formats, written out: a table of sixteen values and one scale per block of 64 weights.

NF4's values are quantiles of a normal distribution, so that normally distributed weights use all sixteen equally
(Dettmers et al., QLoRA, 2023, arXiv:2305.14314, section 3 and appendix E). FP4 has a sign, two bits of exponent and
one of mantissa, as bitsandbytes lays it out. This is the whole definition; `bitsandbytes_weight.py` runs it through
bitsandbytes, whose numbers are tested against these.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Format = Literal["nf4", "fp4"]

BLOCK = 64
"""Neighboring inputs that share a scale (their largest magnitude, in fp32)."""

VALUES: dict[Format, tuple[float, ...]] = {
    "nf4": (
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ),
    "fp4": (
        *(0.0, 0.0625 / 12, 8 / 12, 12 / 12, 4 / 12, 6 / 12, 2 / 12, 3 / 12),
        *(-0.0, -0.0625 / 12, -8 / 12, -12 / 12, -4 / 12, -6 / 12, -2 / 12, -3 / 12),
    ),
}
"""What the sixteen codes stand for, in parts of the block's scale."""


def quantize_four_bit(weight: Tensor, format: Format) -> tuple[Tensor, Tensor]:
    """The nearest of the sixteen values for each weight, in units of its block's largest magnitude.

    weight: (out, in) float, `in` a multiple of 64. Returns codes: (out, in) uint8 and scale: (out, in / 64) fp32.
    """
    blocks = weight.float().unflatten(1, (-1, BLOCK))  # type: ignore[no-untyped-call]
    scale: Tensor = blocks.abs().amax(-1)
    parts = blocks / scale.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
    values = torch.tensor(VALUES[format], device=weight.device)
    codes = (parts[..., None] - values).abs().argmin(-1)
    return codes.flatten(1).to(torch.uint8), scale


def dequantize_four_bit(codes: Tensor, scale: Tensor, format: Format) -> Tensor:
    """What the codes stand for: (out, in) fp32."""
    values = torch.tensor(VALUES[format], device=codes.device)
    blocks = values[codes.int()].unflatten(1, (-1, BLOCK))  # type: ignore[no-untyped-call]
    weight: Tensor = blocks * scale[..., None]
    return weight.flatten(1)
