"""Which instructions numbers are computed with, as far as this processor and the environment decide it.

Other instructions add in another order and round at other places: a bf16 product by AMX, by AVX-512 and by widening to
fp32 are three numbers. So they belong to what determines a result, on one machine too: both libraries that multiply
matrices can be told to use fewer. What counts is what is in effect, not what is written: a limit beyond what the
processor has, or one that the library ignores, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.results.fingerprint import cpu_capability

ATEN_VARIABLE = "ATEN_CPU_CAPABILITY"
ATEN = {
    "default": (),
    "avx2": ("avx2", "fma"),
    "avx512": ("avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq"),
}
"""Levels of torch's own kernels on x86, the narrowest first, and what each needs (ATen/native/DispatchStub.cpp). The
variable is taken as it is written, in small letters; anything else is ignored."""

ONEDNN_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Two names of one setting; the first that is set counts (oneDNN, src/common/utils.cpp)."""

_AVX2 = ("sse4_1", "avx", "avx2")
_AVX2_VNNI = (*_AVX2, "avx_vnni")
_AVX512 = (*_AVX2, "avx512f", "avx512vl", "avx512bw", "avx512dq")
_BF16 = (*_AVX512, "avx512_vnni", "avx512_bf16")
_FP16 = (*_BF16, "avx_vnni", "avx512_fp16")
_AMX = (*_FP16, "amx_tile", "amx_int8", "amx_bf16")
_ALL = (*_AMX, "amx_fp16", "avx_vnni_int8", "avx_ne_convert")
ONEDNN = {
    "sse41": ("sse4_1",),
    "avx": ("sse4_1", "avx"),
    "avx2": _AVX2,
    "avx2_vnni": _AVX2_VNNI,
    "avx2_vnni_2": (*_AVX2_VNNI, "avx_vnni_int8", "avx_ne_convert"),
    "avx512_core": _AVX512,
    "avx512_core_vnni": (*_AVX512, "avx512_vnni"),
    "avx512_core_bf16": _BF16,
    "avx512_core_fp16": _FP16,
    "avx10_1_512": _FP16,
    "avx512_core_amx": _AMX,
    "avx10_1_512_amx": _AMX,
    "avx512_core_amx_fp16": (*_AMX, "amx_fp16"),
    "avx10_1_512_amx_fp16": (*_AMX, "amx_fp16"),
    "default": _ALL,
}
"""Limits that oneDNN knows, in any letters, and the instructions that each leaves (its "CPU dispatcher control")."""

OTHERS = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "TORCH_MKLDNN_MATMUL_MIN_DIM",
    "TORCH_MKLDNN_MATMUL_MIN_SIZE",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_BLAS_PREFER_CUBLASLT",
)
"""More variables that choose how products are computed; taken as they are written."""


def instructions(environment: Mapping[str, str], flags: set[str]) -> dict[str, str]:
    """What is in effect with these variables on a processor with these flags (names of /proc/cpuinfo)."""
    return {
        "cpu": cpu_capability(flags)[0],
        "aten": _aten(environment.get(ATEN_VARIABLE), flags),
        "onednn": _onednn(next((environment[name] for name in ONEDNN_VARIABLES if environment.get(name)), ""), flags),
    } | {name: environment[name] for name in OTHERS if name in environment}


def _aten(written: str | None, flags: set[str]) -> str:
    if written in ATEN:
        return written
    return next(level for level in reversed(ATEN) if flags.issuperset(ATEN[level]))


def _onednn(written: str, flags: set[str]) -> str:
    """The instructions of the processor that the limit leaves; an unknown limit, of a newer oneDNN, is itself."""
    left = ONEDNN.get((written or "default").lower())
    return written if left is None else " ".join(sorted(flags.intersection(left)))
