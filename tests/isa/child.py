"""pytest in a process that first checks which instructions it has: `child.py CONFIGURATION PYTEST_ARGUMENTS`."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile

import pytest
from configurations import CONFIGURATIONS, Configuration


def wrong(wanted: Configuration) -> list[str]:
    """What is not as the configuration wants it in this process."""
    import torch

    from reference_impl.native.build import native_library
    from reference_impl.training.precision import cpu_multiplies_bf16

    found = []
    level = torch.backends.cpu.get_cpu_capability().lower()
    if wanted.aten is not None and level != wanted.aten:
        found.append(f"torch's kernels are {level}, not {wanted.aten}")
    told = onednn()
    if wanted.told and told != wanted.told:
        found.append(f"oneDNN has '{told}', not '{wanted.told}'")
    if wanted.multiplies_bf16 is not None and cpu_multiplies_bf16() is not wanted.multiplies_bf16:
        found.append("bf16 products are taken for fast, or for slow, against the wish")
    native = native_library()
    if wanted.native is not None and (native.library is not None) is not wanted.native:
        found.append(f"the compiled kernel: {native.reason}")
    return found


def onednn() -> str:
    """What oneDNN calls the instructions that it uses here, from the head of its verbose output."""
    import torch

    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
                torch.randn(8, 8).to_mkldnn()
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        lines = file.read().decode().splitlines()
    mark = "info,cpu,isa:"
    return next((line.partition(mark)[2].strip() for line in lines if mark in line), "")


def without_bf16() -> None:
    """Let this process take the processor for one without bf16 instructions: which dense products are computed in."""
    import torch

    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        setattr(torch.cpu, probe, lambda: False)


if __name__ == "__main__":
    chosen = next(item for item in CONFIGURATIONS if item.name == sys.argv[1])
    if chosen.multiplies_bf16 is False:
        without_bf16()
    problems = wrong(chosen)
    if problems:
        sys.exit(f"another kernel than '{chosen.name}' runs: " + "; ".join(problems))
    sys.exit(pytest.main(sys.argv[2:]))
