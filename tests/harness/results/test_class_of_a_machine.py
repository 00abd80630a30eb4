"""The class of a machine is the same from version to version and from wherever it is asked.

Peaks and baselines are kept under it: a class that changes by itself makes all of them stale, and says of no two runs
that their speeds may be compared.
"""

from __future__ import annotations

import json
import os

import pytest

from harness.results.fingerprint import Fingerprint, fingerprint
from harness.results.run import Run

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


def test_a_run_has_the_class_of_the_whole_machine(finished_run: Run) -> None:
    """Its workers were given one core each: of those, this is another machine."""
    manifest = finished_run.manifest
    assert manifest.fingerprint_class == fingerprint().class_id
    assert Fingerprint.model_validate(manifest.fingerprint).class_id == manifest.fingerprint_class
    assert manifest.fingerprint["cores_allowed"] == len(os.sched_getaffinity(0))
