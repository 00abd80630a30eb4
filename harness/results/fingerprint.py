"""What the machine and the software are, and the two classes made of them.

`machine_class` is the hardware alone: speeds of one machine may be compared, whatever software was under test.
`class_id` is machine and software together: a result, a peak or a trained model of another class is measured again.

The fingerprint is read from the system, never from torch: the parent process does not import it. A run is planned for
the parent's; each worker makes its own, before it is pinned to some of the cores, and says where that is another
(`other_than_planned`). What changes by itself (load, stolen time) is no part of it: `conditions` reads that, at the
start and the end of each launch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import model_validator

from harness.strict_models import Kept
from harness.threads import cores_allowed, cpu_quota

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "accelerate",
    "bitsandbytes",
    "numpy",
    "scipy",
    "pandas",
    "gpt-harness",
)
"""Packages whose versions are recorded."""

CLASS_PACKAGES = ("torch", "transformers", "bitsandbytes")
"""Packages whose versions decide a speed."""

RUN_PACKAGES = (*CLASS_PACKAGES, "tokenizers")
"""Packages whose versions are in keys of cells: what a worker imported has to be what the plan found installed."""

ENVIRONMENT = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "GPT_NATIVE",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_CONF",
    "LD_PRELOAD",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
)
"""Environment variables that change speed or memory; those that are set are recorded."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Not in the class: workers pin their threads, and the number is an axis of its own."""


class Gpu(Kept):
    """One accelerator, as its driver describes it."""

    name: str
    memory_mib: int
    driver: str
    power_limit_w: float | None = None
    ecc: str | None = None


class Fingerprint(Kept):
    """A machine with its software. What a system does not tell is empty, never guessed."""

    cpu_model: str
    cpu_capability: str
    """The widest vector instructions that matter here, such as `avx512_bf16` or `avx2`."""
    native_bf16: bool
    """Whether the CPU has instructions for bf16 products."""
    microcode: str
    cores: int
    """Logical CPUs of the machine."""
    cores_allowed: int
    """Logical CPUs that this process may use (affinity)."""
    cpu_quota: float | None
    """CPUs' worth of time that the container's limit allows (cgroup v2 `cpu.max`); None without a limit."""
    governor: str
    memory_bytes: int
    memory_limit_bytes: int | None
    """The container's memory limit (cgroup v2 `memory.max`); None without one."""
    numa_nodes: int
    virtual: bool
    """Whether a hypervisor is below."""
    gpus: tuple[Gpu, ...]
    system: str
    kernel: str
    libc: str
    python: str
    python_compiler: str
    packages: dict[str, str]
    environment: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _as_far_as_told(cls, known: Any) -> Any:
        """Of a run that was imported, what the other tool's file does not tell is empty."""
        return {**_UNTOLD, **known} if isinstance(known, Mapping) and TOLD_BY in known else known

    @property
    def class_id(self) -> str:
        """Hash of the machine with the software that decides a speed: 12 hex digits. What is kept for later runs is
        kept under it. Precision, device and threads are axes, not class."""
        return _hash_of(self._of_class().values())

    @property
    def machine_class(self) -> str:
        """Hash of the hardware alone, 12 hex digits: what two speeds need to have in common to be compared. What
        differs in software is what a comparison is about (`harness.results.software`)."""
        return _hash_of(self._of_class()[name] for name in MACHINE)

    def differences(self, other: Fingerprint) -> list[str]:
        """What makes the class of `other` another one, such as `cores_allowed: 2 and 1`; nothing where it is none."""
        mine, theirs = _flat(self._of_class()), _flat(other._of_class())
        return [
            f"{name}: {mine.get(name, 'nothing')} and {theirs.get(name, 'nothing')}"
            for name in dict.fromkeys([*mine, *theirs])
            if mine.get(name) != theirs.get(name)
        ]

    def _of_class(self) -> dict[str, Any]:
        """What the class is a hash of: the values in this order, so that it never changes by itself."""
        variables = {k: v for k, v in self.environment.items() if k not in _THREAD_VARIABLES}
        return {
            "cpu_model": self.cpu_model,
            "cpu_capability": self.cpu_capability,
            "cores": self.cores,
            "cores_allowed": self.cores_allowed,
            "cpu_quota": self.cpu_quota,
            "memory in GiB": round(self.memory_bytes / 2**30),
            "gpus": [(gpu.name, gpu.memory_mib, gpu.driver) for gpu in self.gpus],
            "system": self.system,
            "libc": self.libc,
            "python": ".".join(self.python.split(".")[:2]),
            _PACKAGES: sorted((name, self.packages.get(name, "")) for name in CLASS_PACKAGES),
            _VARIABLES: sorted(variables.items()),
        }


TOLD_BY = "told_by"
"""Key of a manifest's fingerprint that another tool's file told: whose file it was."""
_UNTOLD: dict[str, Any] = {
    **dict.fromkeys(("cpu_model", "cpu_capability", "microcode", "governor", "system", "kernel", "libc"), ""),
    **dict.fromkeys(("python", "python_compiler"), ""),
    **dict.fromkeys(("cores", "cores_allowed", "memory_bytes", "numa_nodes"), 0),
    **dict.fromkeys(("cpu_quota", "memory_limit_bytes"), None),
    **dict.fromkeys(("native_bf16", "virtual"), False),
    **{"gpus": (), "packages": {}, "environment": {}},
}
_PACKAGES, _VARIABLES = "package", "variable"

MACHINE = (
    "cpu_model",
    "cpu_capability",
    "cores",
    "cores_allowed",
    "cpu_quota",
    "memory in GiB",
    "gpus",
    "system",
)
"""What of a class is the machine's, by its name in `Fingerprint.differences`. The rest is software."""
HARDWARE = tuple({"memory in GiB": "memory_bytes"}.get(name, name) for name in MACHINE)
"""The same as fields of a fingerprint."""


def _hash_of(values: Iterable[Any]) -> str:
    return hashlib.sha256(repr(tuple(values)).encode()).hexdigest()[:12]


def _flat(of_class: Mapping[str, Any]) -> dict[str, Any]:
    """The same with an entry for each package and variable."""
    flat: dict[str, Any] = {}
    for name, value in of_class.items():
        flat |= {f"{name} {one}": text for one, text in value} if name in (_PACKAGES, _VARIABLES) else {name: value}
    return flat


@cache
def fingerprint() -> Fingerprint:
    """The fingerprint of this machine and this Python, as they are when it is asked for first. Takes milliseconds (with
    an NVIDIA driver, a second)."""
    cpu, flags = _cpuinfo(), cpu_flags()
    capability, native_bf16 = cpu_capability(flags)
    return Fingerprint(
        cpu_model=cpu.get("model name") or platform.processor() or platform.machine(),
        cpu_capability=capability,
        native_bf16=native_bf16,
        microcode=cpu.get("microcode", ""),
        cores=os.cpu_count() or 1,
        cores_allowed=cores_allowed(),
        cpu_quota=cpu_quota(),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        memory_limit_bytes=_memory_limit(),
        numa_nodes=len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or 1,
        virtual="hypervisor" in flags,
        gpus=_gpus(),
        system=f"{platform.system()}-{platform.machine()}",
        kernel=platform.release(),
        libc="-".join(platform.libc_ver()),
        python=platform.python_version(),
        python_compiler=platform.python_compiler(),
        packages=_versions(),
        environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )


def imported_versions() -> dict[str, str]:
    """Versions of the packages that this process has imported: what runs, whatever is installed by now."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in PACKAGES}
    return {name: str(version) for name, version in found.items() if version is not None}


def other_than_planned(planned: Fingerprint) -> list[str]:
    """What this process runs on or with that is other than planned, each as `planned and here`; nothing where it is
    the same."""
    imported = imported_versions()
    return planned.differences(fingerprint()) + [
        f"imported {name}: {planned.packages[name]} and {imported[name]}"
        for name in RUN_PACKAGES
        # a build of the same version may call itself `2.9.0+cu128` and its package `2.9.0`
        if name in imported and name in planned.packages and _public(imported[name]) != _public(planned.packages[name])
    ]


def _public(version: str) -> str:
    return version.partition("+")[0]


_CAPABILITIES = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "avx", "sve2", "sve", "asimd")


def cpu_capability(flags: set[str]) -> tuple[str, bool]:
    """The widest of the known instruction sets in `flags` (names of /proc/cpuinfo), and whether it multiplies bf16."""
    names = {"amx_bf16": "amx_bf16", "avx512_bf16": "avx512_bf16", "bf16": "bf16", "svebf16": "svebf16"}
    native = any(name in flags for name in names)
    return next((name for name in _CAPABILITIES if name in flags), "unknown"), native


def cpu_flags() -> set[str]:
    """What the first processor can do, in the names of /proc/cpuinfo; nothing where there is none."""
    cpu = _cpuinfo()
    return set(cpu.get("flags", cpu.get("Features", "")).split())


def _cpuinfo() -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo; nothing where there is none."""
    first = _text("/proc/cpuinfo").split("\n\n")[0]
    return {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in first.splitlines()) if v}


def _memory_limit() -> int | None:
    limit = _text("/sys/fs/cgroup/memory.max")
    return int(limit) if limit.isdigit() else None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _gpus() -> tuple[Gpu, ...]:
    """NVIDIA GPUs by `nvidia-smi`; none where there is no such program or it fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = "--query-gpu=name,memory.total,driver_version,power.limit,ecc.mode.current"
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(done.stdout)


def parse_gpus(table: str) -> tuple[Gpu, ...]:
    """GPUs from nvidia-smi's rows: name, MiB of memory, driver, power limit in W, ECC mode. Odd rows are left out."""
    found = []
    for line in table.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 5 and parts[1].isdigit():
            watts = float(parts[3]) if re.fullmatch(r"[\d.]+", parts[3]) else None
            found.append(
                Gpu(name=parts[0], memory_mib=int(parts[1]), driver=parts[2], power_limit_w=watts, ecc=parts[4])
            )
    return tuple(found)


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
