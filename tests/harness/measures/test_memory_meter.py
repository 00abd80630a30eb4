"""The memory meter: it must see what is gone again, and nothing that a parent did."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.measures.memory_meter import memory_meter, return_free_memory

MB = 2**20


def test_a_freed_buffer_is_seen_without_sampling() -> None:
    meter = memory_meter("cpu")
    if meter.name != "VmHWM":
        pytest.skip(f"this system has only {meter.name}")
    return_free_memory()
    meter.reset()
    before = meter.held()
    buffer = np.ones(200 * MB, dtype=np.uint8)
    del buffer
    return_free_memory()
    assert meter.peak() - before == pytest.approx(200 * MB, rel=0.02)
    assert meter.held() - before < 20 * MB
    meter.reset()
    assert meter.peak() - before < 20 * MB, "the reset forgets the old peak"


CHILD = """
import resource
from harness.measures.memory_meter import memory_meter
meter = memory_meter("cpu")
print(meter.name, meter.peak(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_a_parents_peak_is_not_inherited() -> None:
    """Known bad: ru_maxrss of a child that never held 300 MB says that it did, because its parent has."""
    if memory_meter("cpu").name != "VmHWM":
        pytest.skip("no /proc")
    parent = f"""
import os, subprocess, sys
buffer = bytearray(b"1") * (300 * 2**20)
pid = os.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", {CHILD!r}])
os.waitpid(pid, 0)
"""
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    name, peak, max_rss = done.stdout.split()
    assert name == "VmHWM"
    assert int(max_rss) > 300 * MB, "this kernel's ru_maxrss is not inherited: the trap is gone"
    assert int(peak) < 150 * MB


def test_the_fallback_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise PermissionError("sandbox")

    monkeypatch.setattr("harness.measures.memory_meter._reset_high_water", refused)
    assert memory_meter("cpu").name == "VmHWM without reset"
    monkeypatch.setattr("harness.measures.memory_meter._STATUS", __import__("pathlib").Path("/nowhere"))
    meter = memory_meter("cpu")
    assert meter.name == "ru_maxrss (inherited)"
    assert meter.peak() > 10 * MB
