"""`harness ci`: one verdict on what a change did to a project, quality first and then speed.

    1. the base's revision and the working folder are built aside (project.py)
    2. each state's own code measures the suite's quality, memory and counts (side.py), and the two runs are judged
       (quality_of_change.py)
    3. gated times and calls whose quality held are decided in lockstep (timed_work.py); the time goes where it decides
       most (shared_time.py)
    4. one verdict, with the precedence of all of the gate

Everything that is measured is kept in one folder as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness import kept_file
from harness.errors import UserError, WrongArgument
from harness.gate.accepted import ACCEPT_FILE, Accepted, read_accepted
from harness.gate.change.call_pairs import arms_of_call
from harness.gate.change.project import State, base_state, head_state
from harness.gate.change.quality_of_change import QualityOfChange, judge_quality_of
from harness.gate.change.side import measured, that_are_there, untimed
from harness.gate.change.speed_pairs import SpeedPair, arms_of, speed_pairs
from harness.gate.change.timed_work import TimedWork, begin_with
from harness.gate.change.unused_project import why_nothing_shows
from harness.gate.judgment import GateResult, Judged, OnInconclusive
from harness.gate.lockstep.ab import check_seed
from harness.gate.lockstep.in_words import launch_line
from harness.gate.lockstep.launch import Patience, Side
from harness.gate.lockstep.lockstep import Observation
from harness.gate.lockstep.record import new_folder
from harness.gate.lockstep.shared_time import share_time
from harness.gate.stored.judging import policy
from harness.gate.stored.stored_runs import ALPHA, PASS_ALPHA, verdict_of
from harness.gate.verdict import Verdict
from harness.gate.written.files import Files, json_of
from harness.models.digest import hash_of
from harness.results.fingerprint import fingerprint
from harness.statistics.speed_decision import Rule
from harness.suite.load import LoadedSuite, load_suite, suite_text
from harness.suite.schema import Suite
from harness.threads import default_threads

CHANGES = Path("results/ci")
BASE = "origin/main"
SUITE = "suites/ci.yaml"
"""The project's own where it has one, else the one of this name that ships."""
LEAST_FOR_SPEED = 0.25
"""Of the minutes, however long quality took."""
SLOWER = 10.0
"""So many times as long as the base, and `timeout` besides, may the head take to measure its quality."""
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
    """For all that is measured."""
    threads: int | None = None
    """Of what the suite gives no threads; None: as many as there are cores."""
    out: Path = CHANGES
    on_inconclusive: OnInconclusive | None = None
    accept_file: Path = ACCEPT_FILE
    options: tuple[str, ...] = ()
    """Of `harness run`, such as `--trust-remote-code`."""
    seed: int | None = None
    timeout: float = Patience.start
    """Seconds after which an arm that hangs is ended."""


@dataclass(frozen=True)
class Change:
    """A change to a project, judged."""

    result: GateResult
    folder: Path
    """Holds both runs, every turn of every launch, `verdict.json` and `summary.md`."""
    works: tuple[TimedWork, ...]
    """What was timed, each with its comparison."""
    seconds: float
    interrupted: bool = False
    """Whether Ctrl-C ended it: then it is judged as far as it was measured."""
    about: dict[str, Any] = field(default_factory=dict)
    """When it was judged, of which suite and commits, and on which machine."""


Listener = Callable[[str | Change], None]
"""Is told sentences, and the change as far as it was judged when Ctrl-C ended it."""


def ci(
    base: str = BASE,
    suite: str = SUITE,
    *,
    project: Path | str | None = None,
    minutes: float = 10.0,
    threads: int | None = None,
    on_inconclusive: str | None = None,
    accept_file: Path | str = ACCEPT_FILE,
    trust_remote_code: bool = False,
    allow_task_code: bool = False,
    timeout: float = Patience.start,
    out: Path | str = CHANGES,
    seed: int | None = None,
    tell: Listener = lambda said: None,
) -> Change:
    """Judge what lies in the project's folder against a revision of it: `harness.ci("origin/main").result.verdict`.

    suite: as it stands in the working folder; both states are asked the same. project: left out, the working folder.
    minutes: for all that is measured. threads: of what the suite gives none. on_inconclusive: what that exits as,
    `pass` or `fail`. timeout: seconds after which an arm that hangs is ended. Raises UserError; before a
    KeyboardInterrupt goes on, what was decided is written, and `tell` gets it (docs/ci.md).
    """
    if not minutes > 0 or not timeout > 0:
        raise WrongArgument("some time is needed", place="minutes, timeout")
    if threads is not None and threads < 1:
        raise WrongArgument("at least one thread is needed", place="threads")
    check_seed(seed)
    allowed = {"--trust-remote-code": trust_remote_code, "--allow-task-code": allow_task_code}
    asked = Asked(
        base=base,
        suite=suite,
        project=Path.cwd() if project is None else Path(project),
        minutes=minutes,
        threads=threads,
        out=Path(out),
        on_inconclusive=policy(on_inconclusive),
        accept_file=Path(accept_file),
        options=tuple(option for option, is_on in allowed.items() if is_on),
        seed=seed,
        timeout=timeout,
    )
    return judge_change(asked, tell)


def judge_change(asked: Asked, tell: Listener = lambda said: None) -> Change:
    """What `ci` does."""
    began = time.monotonic()
    loaded = load_suite(asked.suite)
    if not loaded.cells and not loaded.suite.calls:
        raise UserError("it has no `measures` and no `calls`, so no change can show in it", place=asked.suite)
    pairs, accepted = speed_pairs(loaded), read_accepted(asked.accept_file)
    folder = new_folder(asked.out)
    with base_state(asked.base, asked.project, tell) as before:
        states: dict[Side, State] = {"a": before, "b": head_state(asked.project, tell, asked.out)}
        quality = _quality(loaded, states, pairs, asked, folder, accepted, tell)
        known = [pair for pair in pairs if pair.cell.model not in quality.new]
        opening = _works(loaded, states, known, quality.judged, asked, folder, tell) if not quality.rows else {}
        works = list(opening)
        conclude = partial(_concluded, asked, loaded.suite, states, quality, works, accepted, folder, began)
        try:
            for work in works:  # which may take minutes where it trains or builds
                opening[work]()
            going = [work for work in works if work.begun is not None]
            left = max(asked.minutes - (time.monotonic() - began) / 60, LEAST_FOR_SPEED * asked.minutes)
            ends = share_time([work.begun.lockstep for work in going if work.begun is not None], left)
        except KeyboardInterrupt:
            tell(conclude(interrupted=True))
            raise
        for work, end in zip(going, ends, strict=True):
            if end is not None:
                work.failed(end)
        return conclude()


@dataclass(frozen=True)
class _Quality:
    """What both states' runs came to."""

    judged: QualityOfChange | None
    """None where the suite asks for times alone, or where one of the states gave no run."""
    rows: tuple[Judged, ...] = ()
    """What is said of a state that gave none."""
    new: tuple[str, ...] = ()
    """Models that only the head has."""

    @property
    def notes(self) -> list[str]:
        """What the new models come to."""
        return [f"{name} is new: the base has no such folder, so nothing of it is judged" for name in self.new]


def _quality(
    loaded: LoadedSuite,
    states: dict[Side, State],
    pairs: Sequence[SpeedPair],
    asked: Asked,
    folder: Path,
    accepted: Accepted,
    tell: Listener,
) -> _Quality:
    """Both states' runs, judged. A head that gives no run where the base did is broken."""
    suite = untimed(loaded.suite)
    base, head = states["a"], states["b"]
    of_base, new = that_are_there(suite, base, head)
    of_head, gone = that_are_there(suite, head, base)
    if not of_base.measures:
        return _Quality(None, new=tuple(new))
    options = list(asked.options)
    tell(f"quality of {base.name}")
    began = time.monotonic()
    before = measured(base, of_base, folder / "base", options, tell)
    limit = asked.timeout + SLOWER * (time.monotonic() - began)
    tell(f"quality of {head.name}")
    try:
        if not of_head.measures:
            raise UserError(f"the folders of {', '.join(gone)} are gone")
        after = measured(head, of_head, folder / "head", options, tell, limit)
    except UserError as error:
        broken = Judged(verdict=Verdict.FAIL, reason=f"the base can be measured, and {error}", at={}, role="cell")
        return _Quality(None, (broken,), tuple(new))
    calls = len(loaded.suite.calls)
    return _Quality(judge_quality_of(loaded.suite, pairs, calls, before, after, accepted), new=tuple(new))


def _works(
    loaded: LoadedSuite,
    states: dict[Side, State],
    pairs: Sequence[SpeedPair],
    quality: QualityOfChange | None,
    asked: Asked,
    folder: Path,
    tell: Listener,
) -> dict[TimedWork, Callable[[], None]]:
    """What is timed, each with what opens its arms."""
    suite = loaded.suite
    tests = quality.result.tests if quality is not None else max(1, len(pairs) + len(suite.calls))
    heard = _heard(tell)
    patience = Patience(asked.timeout, min(asked.timeout, Patience.turn))
    begin = partial(
        begin_with, minutes=asked.minutes, folder=folder / "speed", seed=asked.seed, patience=patience, tell=heard
    )
    works: dict[TimedWork, Callable[[], None]] = {}
    for pair in pairs:
        cell = pair.cell
        at = {"model": cell.model, **cell.axes, "measure": cell.measure, **cell.settings}
        work = TimedWork(pair.title, " ".join(pair.metrics), at, Rule(margin=pair.margin, tests=tests))
        threads = int(cell.axes.get("threads") or asked.threads or default_threads())
        work.asks = {"time": pair.part, "threads": threads}
        void = None if quality is None else quality.why_void(pair)
        if void is not None:
            work.settled = Verdict.INCONCLUSIVE, void
            works[work] = lambda: None
        else:
            trained = None if quality is None else quality.base
            arms = partial(arms_of, pair, suite, states, trained, threads, "--trust-remote-code" in asked.options, tell)
            works[work] = partial(begin, work, arms, threads=threads, tolerance=None)
    for name, call in suite.calls.items():
        work = TimedWork(name, "time", {"call": name}, Rule(margin=call.margin, tests=tests))
        threads = call.threads or asked.threads or default_threads()
        work.asks = {"call": call.call, "setup": call.setup, "arguments": call.arguments, "threads": threads}
        arms = partial(arms_of_call, call, states)
        works[work] = partial(begin, work, arms, threads=threads, tolerance=call.tolerance)
    return works


def _heard(tell: Listener) -> Callable[[object], None]:
    """Launches are told of as sentences."""

    def hear(said: object) -> None:
        if isinstance(said, Observation):
            tell(launch_line(said))
        elif isinstance(said, str):
            tell(said)

    return hear


def _concluded(
    asked: Asked,
    suite: Suite,
    states: dict[Side, State],
    quality: _Quality,
    works: Sequence[TimedWork],
    accepted: Accepted,
    folder: Path,
    began: float,
    *,
    interrupted: bool = False,
) -> Change:
    """The verdict on everything that was measured; it is written."""
    today = date.today()
    told_before = accepted.notes(today)  # a time may use what quality did not
    timed = accepted.applied([work.judged(interrupted=interrupted) for work in works if work.why_new is None], today)
    judged = quality.judged
    rows = [*quality.rows, *(() if judged is None else judged.result.rows), *timed]
    if not quality.rows and (why := why_nothing_shows(states, judged, works)) is not None:
        rows.append(Judged(verdict=Verdict.USAGE, reason=why, at={}, role="cell"))
    verdict, reason = verdict_of(rows)
    base, head = states["a"].name, states["b"].name
    notes = [f"{work.title} is judged by {work.metric}" for work in works if work.why_new is None]
    notes += [f"{work.title} has no baseline: {work.why_new}" for work in works if work.why_new is not None]
    notes += [*quality.notes, *accepted.notes(today)]
    if judged is None:
        result = GateResult(verdict, reason, tuple(rows), (), (), tuple(notes), base, head, len(works))
    else:
        notes = [note for note in judged.result.notes if note not in told_before] + notes
        result = replace(judged.result, verdict=verdict, reason=reason, rows=tuple(rows), notes=tuple(notes))
    result = replace(result, base=base, head=head, alpha=ALPHA, pass_alpha=PASS_ALPHA)
    result = replace(result, on_inconclusive=asked.on_inconclusive, suite=asked.suite)
    about = _what_was_judged(suite, states)
    change = Change(result, folder, tuple(works), time.monotonic() - began, interrupted, about)
    told = json_of(result, seconds=change.seconds, interrupted=interrupted, about=change.about)
    kept_file.write_json(folder / VERDICT, told, VERDICT)
    Files(markdown=folder / SUMMARY).write(result)
    return change


def _what_was_judged(suite: Suite, states: dict[Side, State]) -> dict[str, Any]:
    """What a history needs to know of a verdict: of which commits it is, of which suite, and on which machine."""
    text = suite_text(suite)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **{"suite_name": suite.name, "suite_hash": hash_of(text), "suite_text": text},
        "machine_class": fingerprint().machine_class,
        "states": {"base": dict(states["a"].git), "head": dict(states["b"].git)},
    }
