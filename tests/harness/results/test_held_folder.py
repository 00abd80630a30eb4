"""Whether a process still runs a run, and that who looks is not in its way."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType

import pytest

from harness.errors import UserError
from harness.report.environment import warnings
from harness.report.terminal import state_of
from harness.results.held_folder import alone, is_held
from harness.results.new_folder import going_on, new_folder
from harness.results.run import Run


@pytest.fixture
def running(task_builders: ModuleType, builders: ModuleType, tmp_path: Path) -> Run:
    """A run that says that it is under way."""
    b, folder = task_builders, tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    cell = b.task_cell(folder, [b.choice_row(0, "Question?", ["yes", "no"], [-1, -2])])
    run: Run = builders.write_run(folder, cells=[cell], status="running")
    return run


def test_a_run_whose_process_is_gone_has_stopped(running: Run) -> None:
    with alone(running.folder):
        assert is_held(running.folder) and state_of(running) == "running"
    (running.folder / ".lock").touch()  # as it lies where the process was killed
    assert state_of(running) == "stopped"
    [said, *_] = warnings(running)
    assert said.startswith("the run stopped at 1 of 1 cells") and f"harness run --resume {running.folder}" in said


def test_a_run_that_has_only_begun_is_no_stopped_one(running: Run) -> None:
    (running.folder / ".lock").unlink(missing_ok=True)
    assert state_of(running) == "running"


def test_who_looks_is_not_in_the_way_of_a_run_that_begins(running: Run) -> None:
    (running.folder / ".lock").touch()
    over = threading.Event()
    lookers = [threading.Thread(target=lambda: [is_held(running.folder) for _ in iter(over.is_set, True)])]
    for one in lookers:
        one.start()
    try:
        for _ in range(50):
            with alone(running.folder):
                pass
    finally:
        over.set()
        for one in lookers:
            one.join()


def test_two_runs_of_one_folder(running: Run) -> None:
    with alone(running.folder), pytest.raises(UserError, match="another process is running"), alone(running.folder):
        pass


def test_a_run_that_goes_on_gets_the_next_number_once(running: Run) -> None:
    out = running.folder.parent
    first = new_folder(out, running.manifest.model_copy(update={"run": "a"}))
    second = new_folder(out, running.manifest.model_copy(update={"run": "b"}))
    assert (first.manifest.sequence, second.manifest.sequence) == (1, 2)
    assert going_on(second).sequence == 2, "it is the last one"
    assert going_on(first).sequence == 3 == going_on(first).sequence == Run(first.folder).manifest.sequence
