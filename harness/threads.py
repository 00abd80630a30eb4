"""How many threads this process computes with: as many as it may use cores, and no more than OMP_NUM_THREADS asks for.

Programs of numbers share one convention: OMP_NUM_THREADS is the number that is used where nothing else is asked for.
A suite's `threads` axis asks, so it goes before the variable, as `omp_set_num_threads` does.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.errors import UserError

OMP_NUM_THREADS = "OMP_NUM_THREADS"


def default_threads() -> int:
    """Threads where nothing names a number: as many as the cores that this process may use (by affinity, and whole ones
    by the container's quota), or OMP_NUM_THREADS where that is fewer. UserError if it is no number."""
    allowed = cores_allowed()
    quota = cpu_quota()
    if quota is not None:
        allowed = min(allowed, max(1, int(quota)))
    asked = _asked_for()
    return allowed if asked is None else min(allowed, asked)


def beside_others(threads: int, share: float | None) -> int:
    """As many of `threads` as there are cores left beside others, who take `share` of all; one at least.

    Threads that wait for one that has no core wait long: two on one core were seen to take twenty times as long as one.
    """
    cores = os.cpu_count() or 1
    return max(1, min(threads, round(cores * (1 - (share or 0.0)))))


def cores_allowed() -> int:
    """Logical CPUs that this process may use (affinity)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """CPUs' worth of time that the container's limit allows (cgroup v2 `cpu.max`); None without a limit."""
    try:
        quota, _, period = Path("/sys/fs/cgroup/cpu.max").read_text().strip().partition(" ")
    except OSError:
        return None
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _asked_for() -> int | None:
    """The first number of OMP_NUM_THREADS (`4` or `4,2`: one for each level of nesting); None where it is not set."""
    written = os.environ.get(OMP_NUM_THREADS, "").strip()
    if not written:
        return None
    first = written.partition(",")[0].strip()
    if not re.fullmatch(r"[0-9]+", first) or int(first) == 0:
        raise UserError(
            f"'{written}' is not a number of threads; set it to 1 or more, or unset it to use all cores",
            place=OMP_NUM_THREADS,
        )
    return int(first)
