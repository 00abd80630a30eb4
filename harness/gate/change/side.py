"""The quality of one state of the project: its suite's cells, measured by its own code in a process of its own.

Both states are asked the same: the suite as it stands in the working folder, without what takes times (those are
decided in lockstep), and without the cache of results, so that the code under test is what answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from harness.errors import UserError, inert, shown
from harness.gate.change.project import State
from harness.measures.registry import MEASURES
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.suite.load import suite_text
from harness.suite.schema import Suite

LINES = 8
"""Of what it printed, how many are quoted where it fails."""
GRACE = 10.0
"""Seconds that it gets to end its run where this process is ended."""


def untimed(suite: Suite) -> Suite:
    """The suite with what one state can be asked alone: no times, and nothing that is made of records."""
    measures = [entry for entry in suite.measures if not MEASURES[entry.measure].timed]  # type: ignore[attr-defined]
    return suite.model_copy(update={"measures": measures, "analyse": [], "expect": [], "gate": []})


def that_are_there(suite: Suite, state: State, other: State) -> tuple[Suite, list[str]]:
    """The suite without the models whose folder the other state of the project has and this one lacks; their names."""

    def lacks(name: str) -> bool:
        entry = suite.models[name]
        named = str(getattr(entry, entry.adapter.name))
        return (other.folder / named).is_dir() and not (state.folder / named).exists()

    lacking = [name for name in suite.models if lacks(name)]
    if not lacking:
        return suite, []
    models = {name: entry for name, entry in suite.models.items() if name not in lacking}
    measures = []
    for entry in suite.measures:
        left = [name for name in entry.models or suite.models if name in models]  # type: ignore[attr-defined]
        if left:
            measures.append(entry.model_copy(update={"models": left}))  # type: ignore[attr-defined]
    return suite.model_copy(update={"models": models, "measures": measures}), lacking


def measured(
    state: State,
    suite: Suite,
    folder: Path,
    allowed: list[str],
    tell: Callable[[str], None],
    limit: float | None = None,
) -> Run:
    """Run the cells of a suite at a state of the project. folder: for the run. allowed: options of `harness run` that
    allow code. limit: seconds after which it is ended. Raises UserError where there is no run: the suite can't be read
    by that state, say, or it hangs."""
    folder = folder.resolve()  # what runs has another working folder
    folder.mkdir(parents=True)
    file = folder / "suite.yaml"
    file.write_text(suite_text(suite), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "harness", "run", str(file), "--no-cache", "--out", str(folder), *allowed]
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(state.path), *([before] if before else [])])
    process = subprocess.Popen(
        command,
        cwd=state.folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for this process, which ends it
    )
    said: deque[str] = deque(maxlen=LINES)
    assert process.stdout is not None
    hung = threading.Event()

    def end() -> None:
        hung.set()
        _end(process)

    waiting = threading.Timer(limit or 0.0, end)
    if limit is not None:
        waiting.start()
    try:
        with (folder / "said.log").open("w", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                said.append(line.rstrip())
                if is_progress(line):
                    tell(inert(shown(line.strip(), 200)))
        process.wait()
    finally:
        waiting.cancel()
        _end(process)
    if hung.is_set():
        raise UserError(f"{state.name}: its run was ended after {limit:,.0f} s; see said.log", place=str(folder))
    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not found:
        last = "".join(f"\n  {inert(shown(line, 300))}" for line in said if line.strip())
        raise UserError(
            f"{state.name}: the suite gave no run (exit status {process.returncode}):{last}", place=str(folder)
        )
    run = Run(found[-1])
    if run.manifest.status != "finished":
        raise UserError(
            f"{state.name}: its run did not finish (exit status {process.returncode}); see said.log", place=str(folder)
        )
    return run


def is_progress(line: str) -> bool:
    """Whether a line that a run prints is of interest while it goes: cells that ended, and what it warns of."""
    return line.lstrip().startswith(("[", "ready:", "warning:", "note:"))


def _end(process: subprocess.Popen[str]) -> None:
    """End it where it still goes: gently first, so that its run can be resumed."""
    if process.poll() is not None:
        return
    for name in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, name)
        try:
            process.wait(GRACE)
            return
        except subprocess.TimeoutExpired:
            continue
