"""A matrix product with a weight that only exists as integers, dequantised a block of rows at a time.

With many rows of activations the time goes into arithmetic, and the dense matrix product of the type that the
processor is good at beats every integer kernel here. A block at a time keeps the dequantised copy in the
processor's cache, and keeps a large head from doubling the model's memory.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

BLOCK_ELEMENTS = 1 << 20
"""Weights that are dequantised at a time (4 MB in fp32)."""


@cache
def dense_type(device_type: str) -> torch.dtype:
    """The floating type whose dense matrix products are fast on this kind of device.

    A CPU without bf16 instructions emulates them: with 512 rows bf16 takes 7 times as long as fp32 under AVX2
    (benchmarks/quantized_linear.py measures it).
    """
    if device_type != "cpu":
        return torch.bfloat16
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # not public, hence the caution
    native = any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    return torch.bfloat16 if native else torch.float32


def row_blocks(outputs: int, inputs: int) -> list[tuple[int, int]]:
    """Ranges [start, stop) over a weight's output rows, each of about BLOCK_ELEMENTS and a multiple of 64."""
    step = max(64, BLOCK_ELEMENTS // inputs // 64 * 64)
    return [(start, min(start + step, outputs)) for start in range(0, outputs, step)]


def blocked_matmul(x: Tensor, outputs: int, block: Callable[[int, int], Tensor]) -> Tensor:
    """x times the transpose of a weight of which `block(start, stop)` gives rows as (inputs, stop - start).

    x: (rows, inputs), in the type of the blocks. Returns (rows, outputs) in that type.
    """
    blocks = row_blocks(outputs, x.size(-1))
    if len(blocks) == 1:
        return x @ block(0, outputs)
    y = x.new_empty(x.size(0), outputs)
    for start, stop in blocks:
        y[:, start:stop] = x @ block(start, stop)
    return y
