"""What this machine can do at most: the denominators of MFU and MBU, measured and not read from a data sheet.

FLOP/s come from a large square matrix product, bytes/s from a STREAM-like triad over arrays that no cache holds.
Measured once per fingerprint class, device and thread count, kept in the cache folder. A type that the hardware does
not have natively has a low peak, and that is what is reported: it is the machine's peak for that type.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PositiveFloat, ValidationError

from harness import kept_file
from harness.cache import cache_folder
from harness.results.conditions import conditions, others_share
from harness.strict_models import Kept

if TYPE_CHECKING:
    import torch


class Peaks(Kept):
    """What this machine can do at most, measured for one thread count."""

    flops: dict[str, PositiveFloat]
    """FLOP/s of a large GEMM by compute type: fp32, bf16."""
    bandwidth: PositiveFloat
    """Bytes/s of a STREAM-like triad."""
    device: str = "cpu"
    """The kind of device that these are the peaks of: cpu or cuda."""
    others_share: float | None = None
    """Part of the cores' time that other programs took meanwhile: peaks of a busy machine are too low."""


SECONDS = 0.8
"""Time that each of the three peaks may take, set-up aside."""
LARGEST_GEMM = 4096
"""Side of the largest matrix: far beyond where a CPU's rate levels off."""
SMALLEST_ARRAY = 64 * 2**20
"""Bytes of a triad's array at least."""
CACHES_PER_ARRAY = 4
"""A triad's array holds so many last-level caches: STREAM's own rule (McCalpin, stream.c)."""


def measure_peaks(threads: int, device: str) -> Peaks:
    """Measure for some seconds. Run it in a worker: it imports torch and sets its thread count.

    The best of several repetitions counts: neighbors can only slow a machine down.
    """
    import torch

    torch.set_num_threads(threads)
    before = conditions()
    with torch.inference_mode():
        types = {"fp32": torch.float32, "bf16": torch.bfloat16}
        flops = {name: _gemm_flops(dtype, device) for name, dtype in types.items()}
        bandwidth = _triad_bandwidth(device)
    others = others_share(before, conditions(), os.cpu_count() or 1)
    return Peaks(flops=flops, bandwidth=bandwidth, device=device.partition(":")[0], others_share=others)


def cached_peaks(class_id: str, threads: int, device: str) -> Peaks | None:
    """Peaks measured before for this class, thread count and device; None if there are none, or damaged ones."""
    file = _file(class_id, threads, device)
    if (kept := kept_file.kept_json(file)) is None:
        return None
    try:
        return Peaks.model_validate_json(kept)
    except ValidationError:
        kept_file.drop(file, "no peaks")
        return None


def store_peaks(class_id: str, threads: int, peaks: Peaks) -> None:
    """Keep peaks for this class and thread count. A peak seen before and not reached now stays: it was possible."""
    known = cached_peaks(class_id, threads, peaks.device)
    if known is not None:
        flops = {
            name: max(known.flops.get(name, 0.0), peaks.flops.get(name, 0.0))
            for name in known.flops.keys() | peaks.flops.keys()
        }
        peaks = Peaks(
            flops=flops,
            bandwidth=max(known.bandwidth, peaks.bandwidth),
            device=peaks.device,
            others_share=min((known, peaks), key=lambda item: item.others_share or 0.0).others_share,
        )
    kept_file.keep_json(_file(class_id, threads, peaks.device), peaks.model_dump_json(indent=2))


def _file(class_id: str, threads: int, device: str) -> Path:
    return cache_folder("peaks") / f"{class_id}-{device.partition(':')[0]}-{threads}.json"


def _gemm_flops(dtype: torch.dtype, device: str) -> float:
    """FLOP/s of the best of some products of square matrices, 2n³ each, laid out as in a linear layer (x · Wᵀ).

    n doubles as long as the next product fits well into the time. (Without native bf16 the layout is a factor of ten.)
    """
    import torch

    linear = torch.nn.functional.linear
    best, n = 0.0, 256
    end = time.perf_counter() + SECONDS
    while True:
        x, weight = torch.ones(n, n, dtype=dtype, device=device), torch.ones(n, n, dtype=dtype, device=device)
        seconds = _fastest(partial(linear, x, weight), device, repeats=2)
        best = max(best, 2 * n**3 / seconds)
        if n >= LARGEST_GEMM or 8 * seconds > SECONDS / 4:
            break
        n *= 2
    while time.perf_counter() < end:
        best = max(best, 2 * n**3 / _fastest(partial(linear, x, weight), device, repeats=2))
    return best


def _triad_bandwidth(device: str) -> float:
    """Bytes/s of a = b + s·c: two arrays read and one written.

    Counted as STREAM counts, 3 arrays; what a cache reads of `a` before it is overwritten is not counted.
    """
    import torch

    size = max(SMALLEST_ARRAY, CACHES_PER_ARRAY * _last_level_cache())
    length = min(size, _memory_for_triad() // 3) // 4
    a, b, c = (torch.ones(length, dtype=torch.float32, device=device) for _ in range(3))
    best = 0.0
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == 0.0:
        seconds = _fastest(partial(torch.add, b, c, alpha=3.0, out=a), device, repeats=3)
        best = max(best, 3 * a.nbytes / seconds)
    return best


def _fastest(call: Callable[[], object], device: str, repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls after one that warms up, each waited for."""
    import torch

    wait: Callable[[], object] = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    best = float("inf")
    for attempt in range(repeats + 1):
        start = time.perf_counter_ns()
        call()
        wait()
        if attempt:
            best = min(best, (time.perf_counter_ns() - start) / 1e9)
    return best


def _last_level_cache() -> int:
    """Bytes of the largest cache that the system tells of; 32 MiB where it does not."""
    largest = 0
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        found = re.fullmatch(r"(\d+)([KMG]?)", file.read_text().strip())
        if found:
            largest = max(largest, int(found[1]) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[found[2]])
    return largest or 32 * 2**20


def _memory_for_triad() -> int:
    """Bytes that the three arrays may take: an eighth of the memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
