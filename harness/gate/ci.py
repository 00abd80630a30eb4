"""`harness ci`: one verdict on what a change did to a project, quality first and then speed.

    1. the base's revision and the working folder are built aside (project.py)
    2. each state's own code measures the suite's quality, memory and counts (side.py), and the two runs are judged
    3. gated times and calls whose quality held are decided in lockstep; the time goes where it decides most
    4. one verdict, with the precedence of all of the gate

Everything that is measured is kept in one folder as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from harness import strict_json
from harness.errors import UserError
from harness.gate.accepted import ACCEPT_FILE, Accepted, read_accepted
from harness.gate.gate_report import as_json, markdown_of
from harness.gate.in_words import launch_line
from harness.gate.judgment import GateResult, OnInconclusive
from harness.gate.lockstep import Observation
from harness.gate.project import State, base_state, head_state
from harness.gate.record import NoRoom, new_folder
from harness.gate.shared_time import share_time
from harness.gate.side import measured, untimed
from harness.gate.speed_pairs import SpeedPair, speed_pairs
from harness.gate.stored_runs import judge_runs, verdict_of
from harness.gate.timed_work import TimedWork
from harness.gate.works import Project, gate_of_quality, works_of
from harness.results.run import Run
from harness.suite.load import LoadedSuite, load_suite
from harness.whole_file import write_whole

CHANGES = Path("results/ci")
SUITE = "suites/ci.yaml"
"""The project's own where it has one, else the one of this name that ships."""
LEAST_FOR_SPEED = 0.25
"""Of the minutes, however long quality took."""
VERDICT, SUMMARY = "verdict.json", "summary.md"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a change."""

    base: str
    """A revision: `origin/main`."""
    suite: str = SUITE
    """As it stands in the working folder; both states are asked the same."""
    project: Path = field(default_factory=Path.cwd)
    minutes: float = 10.0
    """For all that is measured; building aside."""
    threads: int | None = None
    """Of each arm whose cell says none; None: as many as there are cores."""
    out: Path = CHANGES
    on_inconclusive: OnInconclusive | None = None
    accept_file: Path = ACCEPT_FILE
    options: tuple[str, ...] = ()
    """Of `harness run`, such as `--trust-remote-code`."""
    seed: int | None = None


@dataclass(frozen=True)
class Change:
    """A change to a project, judged."""

    result: GateResult
    folder: Path
    """Holds both runs, every turn of every launch, `verdict.json` and `summary.md`."""
    works: tuple[TimedWork, ...]
    """What was timed; each with its comparison."""
    seconds: float


Listener = Callable[[str | Change], None]
"""Is told sentences, and the change as far as it was judged when Ctrl-C ended it."""


def ci(asked: Asked, tell: Listener = lambda said: None) -> Change:
    """Judge what lies in the project's folder against a revision of it.

    Raises UserError; before a KeyboardInterrupt goes on, what was decided is written, and `tell` gets it.
    """
    began = time.monotonic()
    loaded = load_suite(asked.suite)
    accepted = read_accepted(asked.accept_file)
    if not loaded.cells and not loaded.suite.calls:
        raise UserError("it has no `measures` and no `calls`, so no change can show in it", place=asked.suite)
    pairs = speed_pairs(loaded)
    folder = new_folder(asked.out)
    with base_state(asked.base, asked.project, tell) as before:
        project = Project(loaded, before, head_state(asked.project, tell))
        quality = _quality(project, pairs, asked, folder, tell)
        works = works_of(project, pairs, quality, asked.threads, folder, _told(tell), asked.seed)
        spent = (time.monotonic() - began) / 60
        try:
            share_time(works, max(asked.minutes - spent, LEAST_FOR_SPEED * asked.minutes))
        except (KeyboardInterrupt, NoRoom):
            tell(_concluded(quality, works, folder, began, accepted, asked, interrupted=True))
            raise
        return _concluded(quality, works, folder, began, accepted, asked)
