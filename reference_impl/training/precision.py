"""Which type matrix products are computed in while training: bf16 where it is really faster.

Autocast keeps weights, LayerNorms, softmax and the loss in fp32. Measured with 10.65M parameters on one core
with avx512_bf16 it is 1.67 times as fast; at 0.8M parameters there is no gain; and on a CPU without
bf16 instructions bf16 products are emulated, about 7 times slower than fp32.
"""

from contextlib import AbstractContextManager
from typing import Literal

import torch

SMALLEST_FOR_BF16_ON_CPU = 10_000_000
"""Parameters from which casting costs less than bf16 products save."""


def training_precision(
    wanted: Literal["auto", "fp32", "bf16"], device: torch.device, parameters: int
) -> Literal["fp32", "bf16"]:
    """`wanted`, with "auto" decided for this device and number of parameters."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu" and parameters >= SMALLEST_FOR_BF16_ON_CPU and cpu_multiplies_bf16():
        return "bf16"
    return "fp32"


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16 products (AVX512-BF16 or AMX)."""
    # torch has no public question for this; an absent probe means an older torch, so fp32.
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)


def autocast(precision: Literal["fp32", "bf16"], device: torch.device) -> AbstractContextManager[None]:
    """The context in which forward passes run."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
