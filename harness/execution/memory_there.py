"""How much memory there is for a worker, and which cells of a plan would clearly need more."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.errors import shown
from harness.execution.estimate import memory_of_cell, memory_of_training
from harness.execution.memory_estimate import WITHIN
from harness.execution.plan import PlannedCell
from harness.models.registry import opening_of
from harness.number import with_interval

_GROUPS = Path("/proc/self/cgroup")
_ROOTS = {"2": (Path("/sys/fs/cgroup"), "memory.max"), "1": (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")}


def memory_there() -> int:
    """Bytes of memory that a process can have here: the machine's, or the limit of its container or group."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([installed, *_limits()])


def _limits() -> Iterable[int]:
    """Limits of the control groups that this process is in, from its own up to the topmost that is seen here."""
    try:
        lines = [line.split(":", 2) for line in _GROUPS.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return
    for _, kinds, name in (line for line in lines if len(line) == 3):
        if kinds and "memory" not in kinds.split(","):
            continue
        root, file = _ROOTS["1" if kinds else "2"]
        group = root / name.lstrip("/")
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(root))):
            try:
                limit = (folder / file).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if limit.isdecimal() and int(limit) > 0:
                yield int(limit)


def needs_more(item: PlannedCell, there: int, gpu: int = 0) -> float | None:
    """Bytes that a cell, or the training that it waits for, would take, where that is clearly more than there is: also
    if the estimate is too high by all that it can be. None for others. gpu: bytes of the GPU, for cells on it; 0 where
    they aren't known."""
    of_cell = memory_of_cell(item)
    if item.source.device != "cpu" and of_cell is not None:
        on_gpu = of_cell - opening_of(item.source.kind).libraries
        if gpu and on_gpu / WITHIN > gpu:
            return on_gpu
        of_cell = None
    memory = max(of_cell or 0.0, memory_of_training(item) or 0.0)
    return memory if memory / WITHIN > there else None


def warning(items: Iterable[PlannedCell], there: int, gpu: int = 0) -> str | None:
    """One sentence about the cells that would clearly take more memory than there is; None where there are none."""
    found = [(memory, item.cell.title) for item in items if (memory := needs_more(item, there, gpu)) is not None]
    if not found:
        return None
    most, title = max(found, key=lambda one: one[0])
    cells = "1 cell" if len(found) == 1 else f"{len(found)} cells"
    here = f"{_bytes(there)}{f', {_bytes(gpu)} on the GPU' if gpu else ''}"
    return (
        f"{cells} would take clearly more memory than there is here ({here}), by estimate up to "
        f"{_bytes(most)} ({shown(title, 120)}, its training included): choose a smaller model, batch or context, or a "
        "precision of fewer bits"
    )


def ran_out(item: PlannedCell) -> str:
    """What is said of a cell whose worker the system ended, as memory ran out."""
    ended = "out of memory: the system ended the worker process"
    memory = memory_of_cell(item) if item.source.device == "cpu" else None
    if memory is None:
        return ended
    return f"{ended}; by estimate the cell takes {_bytes(memory)}, and there are {_bytes(memory_there())} here"


def _bytes(value: float) -> str:
    return with_interval(float(value), None, None, "bytes")
