"""What else a machine does while it measures: how busy it is, and what others take of it."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def conditions() -> dict[str, Any]:
    """What the machine is doing now: take it before and after, and compare (`others_share`).

    load_average (1 minute), runnable (threads that run or wait for a core, this one included), busy_s and steal_s (core
    seconds since boot that programs used, and that the hypervisor gave to others), own_s (those of this process),
    time_s (since 1970, by a clock that may be set), clock_s (by one that may not), involuntary_switches (of this
    process since it began: times that another thread took its core). A key is missing where the system does not tell.
    """
    found: dict[str, Any] = {
        "involuntary_switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        "time_s": round(time.time(), 3),
        "clock_s": round(time.monotonic(), 3),
        "own_s": round(time.process_time(), 3),
    }
    with contextlib.suppress(OSError):
        found["load_average"] = round(os.getloadavg()[0], 2)
    with contextlib.suppress(OSError, ValueError, IndexError):
        found["runnable"] = int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
    with contextlib.suppress(OSError, ValueError, IndexError):
        total = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        ticks = os.sysconf("SC_CLK_TCK")
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, total[1:9])
        found["steal_s"] = steal / ticks
        found["busy_s"] = (user + nice + system + irq + softirq) / ticks
    return found


def others_share(before: Mapping[str, Any], after: Mapping[str, Any], cores: int) -> float | None:
    """Part of the cores' time between two `conditions` that went to other programs or other machines; None if unknown.

    Unlike the load average it does not count this process, nor what ran a minute ago.
    """
    try:
        span = {name: after[name] - before[name] for name in ("clock_s", "own_s", "busy_s", "steal_s")}
    except KeyError:
        return None
    if span["clock_s"] <= 0:
        return None
    others = span["busy_s"] - span["own_s"] + span["steal_s"]
    return float(min(max(others / (span["clock_s"] * cores), 0.0), 1.0))


def taken_now(seconds: float) -> float | None:
    """Part of the cores' time that others take while this process does nothing for so long; None if unknown."""
    before = conditions()
    time.sleep(seconds)
    return others_share(before, conditions(), os.cpu_count() or 1)


QUIET = 0.1
"""Part of the cores' time that others may take: beyond it a time that was measured meanwhile is noise."""


def most_taken(launches: Sequence[Mapping[str, Any]], cores: int) -> float | None:
    """The largest `others_share` of launches, each with its conditions `before` and `after`; None if none is known."""
    shares = [others_share(launch.get("before", {}), launch.get("after", {}), cores) for launch in launches]
    return max((share for share in shares if share is not None), default=None)
