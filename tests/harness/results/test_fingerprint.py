"""The fingerprint: what it must hold, what makes two machines comparable, and what must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import fingerprint as module
from harness.results.fingerprint import (
    Fingerprint,
    Gpu,
    cpu_capability,
    fingerprint,
    parse_gpus,
)


def test_it_knows_this_machine() -> None:
    found = fingerprint()
    assert found.cpu_model
    assert found.cores >= found.cores_allowed >= 1
    assert found.memory_bytes > 2**28
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.packages["torch"]
    assert Fingerprint.model_validate_json(found.model_dump_json()) == found


def test_it_reads_the_system_and_imports_nothing_heavy() -> None:
    program = (
        "import sys, harness.results.fingerprint as f, harness.results.peaks as p; f.fingerprint(); p.conditions();"
        "p.cached_peaks('none', 1, 'cpu'); print([m for m in ('torch', 'numpy', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_fewer_cores_allowed_is_another_class() -> None:
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from harness.results.fingerprint import fingerprint as f; print(f().cores_allowed, f().class_id)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    cores, class_id = done.stdout.split()
    assert cores == "1"
    assert (class_id == fingerprint().class_id) is (fingerprint().cores_allowed == 1)


GPU = Gpu(name="H100", memory_mib=81559, driver="570.1")
BASE = fingerprint().model_copy(
    update={
        **{"cpu_model": "one", "cpu_capability": "avx2", "cores": 2, "cpu_quota": None, "memory_bytes": 24 * 2**30},
        **{"gpus": (), "libc": "glibc-2.36", "python": "3.11.7", "packages": {"torch": "2.9"}, "environment": {}},
    }
)
"""A machine that no other is: what this one has must not be what a test changes."""


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_model": "another"},
        {"cpu_capability": "amx_bf16"},
        {"cores": 999},
        {"cpu_quota": 1.5},
        {"memory_bytes": 2**50},
        {"gpus": (GPU,)},
        {"libc": "musl-1"},
        {"python": "3.99.1"},
        {"packages": {"torch": "0.1"}},
        {"environment": {"ATEN_CPU_CAPABILITY": "default"}},
        {"environment": {"ONEDNN_MAX_CPU_ISA": "AVX2"}},
        {"environment": {"DNNL_MAX_CPU_ISA": "AVX2"}},
        {"environment": {"GPT_NATIVE": "0"}},
        {"environment": {"LD_PRELOAD": "libjemalloc.so"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_speed_changes_the_class(change: dict[str, object]) -> None:
    assert BASE.model_copy(update=change).class_id != BASE.class_id


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "9.9"},
        {"governor": "x"},
        {"microcode": "0xff"},
        {"environment": {"OMP_NUM_THREADS": "7"}},
        {"packages": BASE.packages | {"pandas": "99"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_only_recorded_does_not(change: dict[str, object]) -> None:
    assert BASE.model_copy(update=change).class_id == BASE.class_id


def test_a_few_pages_of_memory_do_not_change_the_class() -> None:
    assert BASE.model_copy(update={"memory_bytes": 24 * 2**30 - 2**26}).class_id == BASE.class_id


def test_the_class_is_the_same_in_every_process() -> None:
    program = "from harness.results.fingerprint import fingerprint as f; print(f().class_id)"
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == fingerprint().class_id


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"sse2", "avx", "avx2"}, ("avx2", False)),
        ({"avx2", "avx512f", "avx512_vnni", "avx512_bf16"}, ("avx512_bf16", True)),
        ({"avx512f", "avx512_bf16", "amx_bf16"}, ("amx_bf16", True)),
        ({"asimd", "bf16", "sve"}, ("sve", True)),
        (set(), ("unknown", False)),
    ],
)
def test_capability(flags: set[str], expected: tuple[str, bool]) -> None:
    assert cpu_capability(flags) == expected


def test_gpus_as_nvidia_smi_tells_them() -> None:
    table = (
        "NVIDIA H100 80GB HBM3, 81559, 570.86.10, 700.00, Enabled\nNVIDIA L4, 23034, 570.86.10, [N/A], [N/A]\n\nodd\n"
    )
    first, second = parse_gpus(table)
    assert first == Gpu(
        name="NVIDIA H100 80GB HBM3", memory_mib=81559, driver="570.86.10", power_limit_w=700.0, ecc="Enabled"
    )
    assert second.power_limit_w is None


def test_a_broken_nvidia_smi_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._gpus() == ()
    program.write_text("#!/bin/sh\necho 'NVIDIA T4, 15360, 550.1, 70.00, Disabled'\n")
    assert module._gpus()[0].name == "NVIDIA T4"


def test_a_system_that_tells_nothing_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_text", lambda path: "")
    bare = fingerprint.__wrapped__()
    assert bare.cpu_capability == "unknown"
    assert bare.class_id
