"""What a warning is: from cells that will be measured to what may go wrong with them, by an estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.execution.plan import PlannedCell
from harness.results.fingerprint import Fingerprint

Warn = Callable[[Fingerprint, Sequence[PlannedCell]], str | None]
"""(machine, the cells that will be measured) -> a sentence; None where all is well."""
