"""The instruction sets that the tests must hold with: what to set, what that needs, and what must then really run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.instructions import ATEN, ONEDNN


@dataclass(frozen=True)
class Configuration:
    """One combination, and what it must come to in a process."""

    name: str
    aten: str | None = None
    """torch's own kernels: the value of ATEN_CPU_CAPABILITY, which `torch.backends.cpu.get_cpu_capability` must say."""
    onednn: str | None = None
    """oneDNN's limit: the value of ONEDNN_MAX_CPU_ISA."""
    told: str = ""
    """What oneDNN's verbose output must call its instructions."""
    native: bool | None = None
    """Whether the compiled kernel must be there; None: either way."""
    multiplies_bf16: bool | None = None
    """False: decide everything as on a processor without bf16 instructions, whatever this one has."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are set."""
        found = {}
        if self.aten is not None:
            found["ATEN_CPU_CAPABILITY"] = self.aten
        if self.onednn is not None:
            found["ONEDNN_MAX_CPU_ISA"] = self.onednn
        if self.native is False:
            found["GPT_NATIVE"] = "0"
        return found

    @property
    def needs(self) -> set[str]:
        """The flags of /proc/cpuinfo that a processor must have for it."""
        return {*ATEN[self.aten or "default"], *(() if self.onednn is None else ONEDNN[self.onednn.lower()])}


CONFIGURATIONS = (
    Configuration("plain"),
    Configuration("kernel", native=True),
    Configuration("no-kernel", native=False),
    Configuration("aten-default", aten="default"),
    Configuration("aten-avx2", aten="avx2"),
    Configuration("aten-avx512", aten="avx512"),
    Configuration("onednn-avx2", onednn="AVX2", told="Intel AVX2"),
    Configuration("avx2-machine", aten="avx2", onednn="AVX2", told="Intel AVX2", multiplies_bf16=False),
    Configuration(
        "onednn-avx512",
        onednn="AVX512_CORE",
        told="Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions",
    ),
    Configuration(
        "onednn-bf16", onednn="AVX512_CORE_BF16", told="Intel AVX-512 with Intel DL Boost and bfloat16 support"
    ),
    Configuration(
        "onednn-amx",
        onednn="AVX10_1_512_AMX",
        told="Intel AVX10.1 and Intel AMX with bfloat16 and 8-bit integer support",
    ),
    Configuration(
        "narrowest", aten="default", onednn="SSE41", told="Intel SSE4.1", native=False, multiplies_bf16=False
    ),
)

NUMERIC = (
    "tests/reference_impl",
    "tests/known_bad",
    "tests/harness/models",
    "tests/harness/scoring",
    "tests/harness/measures",
    "tests/harness/analysis/scaling",
    "tests/harness/results/test_instructions.py",
)
"""Tests whose numbers the instructions can move."""
CORE = (
    "tests/reference_impl/inference",
    "tests/reference_impl/decoding",
    "tests/reference_impl/quantization",
    "tests/reference_impl/native",
    "tests/reference_impl/model",
    "tests/known_bad/test_decoding_defects.py",
    "tests/known_bad/test_known_bad.py",
    "tests/known_bad/test_quantization_defects.py",
    "tests/known_bad/test_scoring_defects.py",
    "tests/harness/scoring",
    "tests/harness/results/test_instructions.py",
)
"""Those that they move most, without whole runs and gates: the part for CI."""
