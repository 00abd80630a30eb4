"""Which instructions are in effect: what the processor has, less what the environment forbids."""

from __future__ import annotations

import os
import platform

import pytest

from harness.results.fingerprint import cpu_flags
from harness.results.instructions import instructions

AVX2 = {"sse4_1", "avx", "avx2", "fma"}
AVX512 = AVX2 | {"avx512f", "avx512vl", "avx512bw", "avx512dq"}
ZEN5 = AVX512 | {"avx512_vnni", "avx512_bf16", "avx_vnni"}
SAPPHIRE_RAPIDS = ZEN5 | {"avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}


@pytest.mark.parametrize(
    ("flags", "written", "aten"),
    [
        (ZEN5, None, "avx512"),
        (ZEN5, "avx512", "avx512"),
        (ZEN5, "avx2", "avx2"),
        (ZEN5, "default", "default"),
        (ZEN5, "AVX2", "avx512"),  # ignored: torch reads small letters
        (ZEN5, "sse", "avx512"),
        (ZEN5, "", "avx512"),
        (AVX2, None, "avx2"),
        (AVX2 - {"fma"}, None, "default"),
        (set(), None, "default"),
    ],
)
def test_torch_s_level(flags: set[str], written: str | None, aten: str) -> None:
    environment = {} if written is None else {"ATEN_CPU_CAPABILITY": written}
    assert instructions(environment, flags)["aten"] == aten


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize(
    ("flags", "written", "same"),
    [
        (ZEN5, "DEFAULT", True),
        (ZEN5, "avx10_1_512_amx", True),  # more than it has
        (ZEN5, "AVX10_1_512", True),
        (ZEN5, "AVX512_CORE_BF16", False),  # without avx_vnni
        (ZEN5 - {"avx_vnni"}, "avx512_core_bf16", True),
        (ZEN5, "AVX512_CORE_VNNI", False),
        (ZEN5, "AVX512_CORE", False),
        (ZEN5, "AVX2", False),
        (SAPPHIRE_RAPIDS, "AVX512_CORE_BF16", False),
        (SAPPHIRE_RAPIDS, "AVX512_CORE_AMX", True),
        (AVX2, "AVX2", True),
        (AVX2, "AVX512_CORE", True),
        (AVX2, "SSE41", False),
        (ZEN5, "AVX99", False),  # unknown here, perhaps not to a newer oneDNN
    ],
)
def test_a_limit_that_the_processor_does_not_reach_is_none(
    name: str, flags: set[str], written: str, same: bool
) -> None:
    assert (instructions({name: written}, flags) == instructions({}, flags)) is same


def test_every_limit_below_is_another() -> None:
    limits = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "DEFAULT")
    found = [instructions({"ONEDNN_MAX_CPU_ISA": limit}, SAPPHIRE_RAPIDS)["onednn"] for limit in limits]
    assert len(set(found)) == len(limits)


def test_the_first_of_onednn_s_two_names_counts() -> None:
    both = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "SSE41"}
    assert instructions(both, ZEN5) == instructions({"ONEDNN_MAX_CPU_ISA": "AVX2"}, ZEN5)


@pytest.mark.parametrize("name", ["ONEDNN_DEFAULT_FPMATH_MODE", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE"])
def test_what_else_chooses_a_product_is_taken_as_it_is_written(name: str) -> None:
    assert instructions({name: "1"}, ZEN5) != instructions({}, ZEN5)
    assert instructions({"HOME": "/x", "OMP_NUM_THREADS": "3"}, ZEN5) == instructions({}, ZEN5)


def test_another_processor_is_another() -> None:
    assert instructions({}, ZEN5) != instructions({}, SAPPHIRE_RAPIDS) != instructions({}, AVX2)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="torch has other levels elsewhere")
def test_it_is_what_torch_takes_here() -> None:
    import torch

    assert instructions(os.environ, cpu_flags())["aten"] == torch.backends.cpu.get_cpu_capability().lower()
