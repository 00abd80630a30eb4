"""A run -> a file of another tool, or an experiment tracker: `harness.export_results` and `harness.log_run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import WrongArgument, shown
from harness.interchange.to_pytest_benchmark import pytest_benchmark_json
from harness.interchange.trackers.target import TRACKERS, Target, find_tracker
from harness.results.find import find_cells, find_run
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
        names = [*TARGETS, *TRACKERS]
        raise WrongArgument(
            f"no format '{shown(to)}'{nearest_aside(to, names)}; there are: {', '.join(names)}", place="to"
        )
    return TARGETS[to](run if isinstance(run, Run) else find_cells(str(run), Path(out)))


def log_run(run: str | Path | Run, *, to: str | Target, out: str | Path = "results/runs") -> str:
    """Tell a tracker of a run: numbers with the ends of their intervals, settings, curves of training, reports. Returns
    where that is now.

    to: `wandb[:PROJECT]`, `mlflow[:FOLDER or address]` or `tensorboard[:FOLDER]`, or what `harness.find_tracker` found
    before the run. Raises UserError where its package is not installed, or it does not take the run.
    """
    found = to if isinstance(to, Target) else find_tracker(to, "to")
    return found.log(run if isinstance(run, Run) else find_run(str(run), Path(out)))
