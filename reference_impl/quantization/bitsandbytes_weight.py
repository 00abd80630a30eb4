"""Weights in NF4 or FP4, quantized and dequantized by bitsandbytes.

`four_bit_float.py` has the definition. A weight takes 4 + 32/64 = 4.5 bits. On a GPU bitsandbytes' fused kernel reads
the codes; on a CPU its fused kernel wants AVX-512 with bf16 and a layout of its own, so here its dequantization
feeds a dense product, a block of rows at a time. That saves memory and no time.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reference_impl.quantization.four_bit_float import BLOCK, Format
from reference_impl.quantization.stored_weight import StoredWeight
from reference_impl.quantization.weight_format import dense_matmul, dense_type, row_blocks


def which_kernel(device_type: str = "cpu") -> str:
    """Which code multiplies with an NF4 or FP4 weight on this kind of device, for a report."""
    if importlib.util.find_spec("bitsandbytes") is None:
        return "none: the package bitsandbytes is not installed"
    if device_type == "cpu":
        return f"dequantized by bitsandbytes, multiplied in {str(dense_type('cpu')).removeprefix('torch.')}"
    return "fused 4-bit kernel of bitsandbytes"


class BitsAndBytesWeight(StoredWeight):
    """A weight (out, in) as 4-bit floats.

    Raises ValueError where bitsandbytes is not installed.
    """

    packed: Tensor
    """(out, padded in / 2) uint8: two codes a byte, the first in the high bits."""
    scale: Tensor
    """(out, padded in / 64) fp32."""

    def __init__(self, weight: Tensor, format: Format) -> None:
        super().__init__()
        self.format = format
        self.out_features, self.in_features = weight.shape
        functional = _bitsandbytes()
        packed, scale = [], []
        for start, stop in row_blocks(self.out_features, self.in_features):
            # zeros fill up the last block of each row, so that no block reaches into the next row
            rows = F.pad(weight[start:stop].float(), (0, -self.in_features % BLOCK)).contiguous()
            codes, state = functional.quantize_4bit(rows, blocksize=BLOCK, quant_type=format)
            packed.append(codes.view(len(rows), -1))
            scale.append(state.absmax.view(len(rows), -1))
        self.register_buffer("packed", torch.cat(packed))
        self.register_buffer("scale", torch.cat(scale))

    def rows(self, indices: Tensor) -> Tensor:
        """Dequantized rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        flat = indices.reshape(-1)
        dense = self._dense(self.packed[flat], self.scale[flat], torch.bfloat16)
        return dense.view(*indices.shape, self.in_features)

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight: (stop - start, in) fp32."""
        return self._dense(self.packed[start:stop], self.scale[start:stop], torch.float32)

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out)."""
        return dense_matmul(self, x) if x.device.type == "cpu" else self._fused(x)

    def _fused(self, x: Tensor) -> Tensor:
        _bitsandbytes()  # registers its operations
        padded = 2 * self.packed.size(1)
        y: Tensor = torch.ops.bitsandbytes.gemm_4bit(
            F.pad(x, (0, padded - self.in_features)),
            self.packed.view(-1, 1),
            [self.out_features, padded],
            self.scale.view(-1),
            BLOCK,
            self.format,
        )
        return y

    def _dense(self, packed: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        """Some rows of the weight: (rows, in) in `dtype`."""
        _bitsandbytes()
        shape = [len(packed), 2 * packed.size(1)]
        dense: Tensor = torch.ops.bitsandbytes.dequantize_4bit(
            packed.reshape(-1, 1), scale.reshape(-1), BLOCK, self.format, shape, dtype
        )
        return dense[:, : self.in_features]


def _bitsandbytes() -> Any:
    """bitsandbytes.functional, imported when it is first needed: that takes seconds."""
    try:
        return importlib.import_module("bitsandbytes.functional")
    except ImportError as error:
        raise ValueError(
            f"nf4 and fp4 need the package bitsandbytes ({error}): `pip install bitsandbytes`, or take int4."
        ) from error
