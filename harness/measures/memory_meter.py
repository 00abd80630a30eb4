"""The high-water mark of memory, kept by the kernel or by the GPU allocator: no sampling, so no peak is missed.

On Linux that is VmHWM in /proc/self/status, after a reset through /proc/self/clear_refs. `ru_maxrss`, which everyone
uses, is wrong for a child process: it survives fork and exec, so that a small worker inherits the peak of the
parent that started it. It is the fallback where there is no /proc.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What resets VmHWM to the present VmRSS: proc(5), `/proc/pid/clear_refs`, since Linux 4.0."""


@dataclass(frozen=True)
class MemoryMeter:
    """Reads memory in bytes: what is held now, and the most since `reset`."""

    name: str
    held: Callable[[], int]
    peak: Callable[[], int]
    reset: Callable[[], None]


def memory_meter(device: str) -> MemoryMeter:
    """The meter of a device: cpu (this process's resident memory), or cuda (torch's allocator, tensors only)."""
    if device.startswith("cuda"):
        return _cuda_meter(device)
    if _can_reset():
        return MemoryMeter("VmHWM", lambda: _status("VmRSS"), lambda: _status("VmHWM"), _reset_high_water)
    if _STATUS.exists():
        return MemoryMeter("VmHWM without reset", lambda: _status("VmRSS"), lambda: _status("VmHWM"), lambda: None)
    return MemoryMeter("ru_maxrss (inherited)", _max_rss, _max_rss, lambda: None)


def return_free_memory() -> None:
    """Give memory that the C allocator holds but nobody uses back to the system (glibc; elsewhere nothing happens).

    Without it, what loading freed would be used again later, and hide what comes then.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"{_STATUS} has no line {field}")
    return int(found[1]) * 1024


def _can_reset() -> bool:
    """Whether the kernel lets this process reset its high-water mark (some sandboxes don't)."""
    try:
        _reset_high_water()
        return _status("VmHWM") > 0
    except OSError:
        return False


def _reset_high_water() -> None:
    _CLEAR_REFS.write_text(_RESET_PEAK)


def _max_rss() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cuda_meter(device: str) -> MemoryMeter:
    import torch

    return MemoryMeter(
        "torch.cuda allocator",
        lambda: torch.cuda.memory_allocated(device),
        lambda: torch.cuda.max_memory_allocated(device),
        lambda: torch.cuda.reset_peak_memory_stats(device),
    )
