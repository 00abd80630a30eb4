"""What a person does after a run: the commands that its end names."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, printable

if TYPE_CHECKING:
    from harness import Run

RIGHT_OR_WRONG = ("acc", "exact_match")
"""Metrics whose documents `explain --wrong` can list, by how their names begin."""


def next_steps(run: Run, out: Path) -> list[str]:
    """Commands that work on this run as they stand: why answers are wrong, what changed since the run before, the
    numbers as CSV. out: where runs lie."""
    import harness
    from harness.cli.options import RUNS

    try:
        is_latest = out == RUNS and harness.open_runs(out)[-1].folder.resolve() == run.folder.resolve()
        asked = [
            cell.settings.get("task") for cell in run.cells for record in cell.records if _is_judged(record.metric)
        ]
    except (UserError, OSError, IndexError):
        return []
    name = "latest" if is_latest else shlex.quote(printable(str(run.folder)))
    steps = [f"harness explain {name} {shlex.quote(printable(str(task)))} --wrong" for task in asked[:1]]
    try:
        before = harness.run_before(run, out)
        steps.append("harness compare" if is_latest else f"harness compare {shlex.quote(str(before.folder))} {name}")
    except (UserError, OSError):
        pass  # there is none
    return [*steps, f"harness show {name} --format csv"] if run.cells else []


def _is_judged(metric: str | None) -> bool:
    return metric is not None and metric.startswith(RIGHT_OR_WRONG)
