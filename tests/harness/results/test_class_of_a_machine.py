"""The class of a machine is the same from version to version and from wherever it is asked.

Peaks and baselines are kept under it: a class that changes by itself makes all of them stale, and says of no two runs
that their speeds may be compared.
"""

from __future__ import annotations

import json
import os

import pytest

from harness.results.fingerprint import HARDWARE, Fingerprint, fingerprint
from harness.results.run import Run
from harness.results.software import software_changes

LAPTOP = """
{"cpu_model": "AMD EPYC", "cpu_capability": "avx512_bf16", "native_bf16": true, "microcode": "0xa101148", "cores": 2,
 "cores_allowed": 2, "cpu_quota": null, "governor": "", "memory_bytes": 25276448768, "memory_limit_bytes": null,
 "numa_nodes": 1, "virtual": true, "gpus": [], "system": "Linux-x86_64", "kernel": "6.1.0", "libc": "glibc-2.36",
 "python": "3.11.7", "python_compiler": "GCC 12.2.0",
 "packages": {"torch": "2.13.0+cpu", "transformers": "5.23.0", "bitsandbytes": "0.49.0", "pandas": "2.3.3"},
 "environment": {"OMP_NUM_THREADS": "1"}}
"""
SERVER = """
{"cpu_model": "Intel(R) Xeon(R) Platinum 8480+", "cpu_capability": "amx_bf16", "native_bf16": true, "microcode": "",
 "cores": 112, "cores_allowed": 16, "cpu_quota": 15.5, "governor": "performance", "memory_bytes": 540813434880,
 "memory_limit_bytes": 137438953472, "numa_nodes": 2, "virtual": false,
 "gpus": [{"name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559, "driver": "570.86.10", "power_limit_w": 700.0}],
 "system": "Linux-x86_64", "kernel": "5.15.0", "libc": "glibc-2.35", "python": "3.12.3",
 "python_compiler": "GCC 13.2.0", "packages": {"torch": "2.9.0"},
 "environment": {"GPT_NATIVE": "0", "ATEN_CPU_CAPABILITY": "avx2"}}
"""


@pytest.mark.parametrize(
    ("stored", "class_id"), [(LAPTOP, "b284c0155973"), (SERVER, "7069915f9932")], ids=["laptop", "server"]
)
def test_a_stored_fingerprint_has_the_class_it_had(stored: str, class_id: str) -> None:
    assert Fingerprint.model_validate_json(stored).class_id == class_id
    changed = json.loads(stored) | {"cpu_model": "another"}
    assert Fingerprint.model_validate(changed).class_id != class_id, "a constant would not do"


@pytest.mark.parametrize(
    ("stored", "machine_class"), [(LAPTOP, "885783be6fdb"), (SERVER, "4d73775446d0")], ids=["laptop", "server"]
)
def test_a_stored_fingerprint_has_the_machine_class_it_had(stored: str, machine_class: str) -> None:
    assert Fingerprint.model_validate_json(stored).machine_class == machine_class


SOFTWARE = {
    "python": "3.99.1",
    "libc": "musl-1",
    "kernel": "9.9",
    "packages": {"torch": "0.1"},
    "environment": {"GPT_NATIVE": "0"},
    "governor": "x",
    "microcode": "0xff",
}


@pytest.mark.parametrize("field", sorted(Fingerprint.model_fields))
def test_each_field_is_of_the_machine_or_it_is_not(field: str) -> None:
    """Every field: one that is added later has to be put on one side here."""
    laptop = Fingerprint.model_validate_json(LAPTOP)
    others = {"cores": 64, "cores_allowed": 1, "cpu_quota": 0.5, "memory_bytes": 2**50, "numa_nodes": 9}
    others |= {"native_bf16": False, "virtual": False, "memory_limit_bytes": 1, "python_compiler": "x"}
    others |= {"gpus": Fingerprint.model_validate_json(SERVER).gpus}
    other = laptop.model_copy(update={field: (others | SOFTWARE).get(field, "another")})
    assert other != laptop
    assert (other.machine_class != laptop.machine_class) == (field in HARDWARE)


def test_software_that_changed_is_named() -> None:
    base = json.loads(LAPTOP)
    head = base | {
        "packages": {"torch": "2.14.0", "transformers": "5.23.0", "pandas": "2.3.3", "peft": "1.0"},
        "python": "3.12.1",
        "environment": {"OMP_NUM_THREADS": "2", "LD_PRELOAD": "x.so"},
        "cpu_model": "another",
    }
    assert software_changes(base, head) == [
        "Python: 3.11.7 and 3.12.1",
        "torch: 2.13.0+cpu and 2.14.0",
        "bitsandbytes: 0.49.0 and not installed",
        "peft: not installed and 1.0",
        "OMP_NUM_THREADS: 1 and 2",
        "LD_PRELOAD: not set and x.so",
    ]
    assert software_changes(base, base) == [] == software_changes(base, {}) == software_changes({"packages": 3}, base)


def test_a_run_has_the_class_of_the_whole_machine(finished_run: Run) -> None:
    """Its workers were given one core each: of those, this is another machine."""
    manifest = finished_run.manifest
    assert manifest.fingerprint_class == fingerprint().class_id
    assert Fingerprint.model_validate(manifest.fingerprint).class_id == manifest.fingerprint_class
    assert manifest.fingerprint["cores_allowed"] == len(os.sched_getaffinity(0))
