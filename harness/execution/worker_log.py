"""`worker.log` of a run folder: what workers print, and the traces of what went wrong. For a person; never read."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass
from pathlib import Path

from harness.errors import printable

WORKER_LOG = "worker.log"


def trace_of(error: BaseException) -> str:
    """The traceback of an error as text that any file takes."""
    return printable("".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class WorkerLog:
    """The log at a path. That nothing can be written to it (a full disk) costs a trace and nothing else."""

    path: Path

    def write(self, text: str) -> None:
        """Add a paragraph."""
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as log:
            log.write(f"--- {text}\n")

    def write_trace(self, what: str, error: BaseException) -> None:
        """Add the traceback of an error under what was being done, or the cell that it ended."""
        self.write(f"{what}\n{trace_of(error)}")
