"""A run -> a file of another tool. `harness.export_results` is this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import UserError, shown
from harness.interchange.to_pytest_benchmark import pytest_benchmark_json
from harness.results.find import find_cells
from harness.results.run import Run
from harness.spelling import nearest_aside

TARGETS: dict[str, Callable[[Run], str]] = {"pytest-benchmark": pytest_benchmark_json}
"""What is written, by name: a run as the text of a file. Raises UserError."""


def export_results(run: str | Path | Run, *, to: str, out: str | Path = "results/runs") -> str:
    """The text of a file of another tool, with what a run has of its kind.

    run: a run, its folder, its name below `out`, or `latest`. to: `pytest-benchmark`. Raises UserError where the run
    has nothing that such a file holds.
    """
    if to not in TARGETS:
        raise UserError(
            f"no format '{shown(to)}'{nearest_aside(to, list(TARGETS))}; there are: {', '.join(TARGETS)}", place="--to"
        )
    return TARGETS[to](run if isinstance(run, Run) else find_cells(str(run), Path(out)))
