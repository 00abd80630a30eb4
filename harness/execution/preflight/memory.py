"""Whether there is memory for weights, caches and logits of each cell: of the machine, and of its GPU."""

from __future__ import annotations

from collections.abc import Sequence

from harness.execution.memory_there import memory_there, warning
from harness.execution.plan import PlannedCell
from harness.results.fingerprint import Fingerprint


def memory(machine: Fingerprint, items: Sequence[PlannedCell]) -> str | None:
    """One sentence about the cells that clearly need more."""
    gpu = max((one.memory_mib << 20 for one in machine.gpus), default=0)
    return warning(items, memory_there(), gpu)
