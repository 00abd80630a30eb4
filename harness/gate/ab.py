"""`ab`: two arms measured in lockstep until it is decided which is slower; the whole comparison as one function."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import kept_file, strict_json
from harness.errors import UserError
from harness.gate import ledger
from harness.gate.arm import NOTHING_SAID, Arm, ArmChoice, check
from harness.gate.arm_process import QUIET_WAITS, ArmFailed, ArmProcess, Worker, environment_of
from harness.gate.callables import Arms, choice_of
from harness.gate.environment import prepare
from harness.gate.launch import Clock, Draw, Patience, Side, draw
from harness.gate.launches_table import table
from harness.gate.lockstep import Limits, Lockstep, Measured, Observation
from harness.gate.model_arm import lacks_harness, with_model
from harness.gate.model_part import ModelWork
from harness.gate.outcome import Outcome, judge, others_of
from harness.gate.quality_of_arms import QualityOfArms, Row, qualities, quality_of
from harness.gate.record import NoRoom, Record, new_folder
from harness.gate.same_code import what_differs
from harness.results.fingerprint import fingerprint
from harness.statistics.speed_decision import Rule
from harness.threads import default_threads

if TYPE_CHECKING:
    import pandas as pd

VERDICT = "verdict.json"
COMPARISONS = Path("results/ab")
QUALITY_MARGIN = 0.01


@dataclass(frozen=True)
class Comparison:
    """Two arms, what was measured of them, and the verdict."""

    folder: Path
    """Holds every turn of every launch, what the arms printed, and the verdict."""
    arms: dict[Side, Arm]
    rule: Rule
    clock: Clock
    """What was judged."""
    threads: int
    tolerance: float | None
    same_arms: bool
    measured: Measured
    outcome: Outcome
    differs: tuple[str, ...]
    """What is not the same in both arms: settings, Python, packages."""
    realized: ledger.Realized
    """What this rule made of launches of identical code on this machine class, these included."""
    machine: str
    """The machine class."""
    seconds: float
    quality: QualityOfArms | None = None
    """Of arms that run models; None of others."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each launch (`launches_table`)."""
        return table(self.measured)

    def as_json(self) -> dict[str, Any]:
        """The verdict and what it rests on, as plain data."""
        outcome = self.outcome
        return {
            "verdict": outcome.verdict.value,
            "exit_code": int(outcome.verdict.exit_code),
            "reasons": list(outcome.reasons),
            "faster": outcome.faster,
            "margin": self.rule.margin,
            "fail_alpha": self.rule.fail_alpha,
            "pass_alpha": self.rule.pass_alpha,
            "clock": self.clock,
            "wall_ratio": None if outcome.wall_ratio is None else outcome.wall_ratio._asdict(),
            "cpu_ratio": None if outcome.cpu_ratio is None else outcome.cpu_ratio._asdict(),
            "smallest_seen": outcome.seen,
            "launches": outcome.launches,
            "fresh_launches": outcome.fresh,
            "differences": self.measured.differences,
            "fresh_differences": self.measured.fresh_differences,
            "outputs": {**asdict(outcome.outputs), "tolerance": self.tolerance},
            "quality": None if self.quality is None else self.quality.as_json(),
            "identical_code": {
                "launches": outcome.beside,
                "differences": self.measured.beside_differences,
                "scatter": outcome.scatter,
                "decisions": self.realized.decisions,
                "alarms": self.realized.alarms,
                "alarms_at_most": self.realized.at_most,
            },
            "arms": {side: {"text": str(arm), "built": arm.built, **arm.settings} for side, arm in self.arms.items()},
            "differs": list(self.differs),
            "code": self.measured.first[0].launch.code if self.measured.first else {},
            "threads": self.threads,
            "waits": QUIET_WAITS,
            "others_share": outcome.others,
            "machine_class": self.machine,
            "seconds": round(self.seconds, 1),
            "folder": str(self.folder),
        }


Listener = Callable[[str | Observation | Comparison], None]
"""Is told sentences, launches that ended, and the comparison that Ctrl-C ended."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of two arms, and how."""

    a: Arms
    b: Arms = NOTHING_SAID
    shared: ArmChoice = NOTHING_SAID
    """What an arm runs that names nothing; else it runs what the other one does."""
    rule: Rule = field(default_factory=Rule)
    limits: Limits = field(default_factory=Limits)
    clock: Clock | None = None
    """What is judged; None: CPU time where both arms only compute, on one thread, else time."""
    threads: int | None = None
    """Of each arm; None: as many as there are cores."""
    tolerance: float | None = None
    """By what share of its size a returned number may differ."""
    same_arms: bool = False
    """Compare `a` with itself (A/A)."""
    work: ModelWork = field(default_factory=ModelWork)
    """Of models: what is timed."""
    quality_margin: float | None = QUALITY_MARGIN
    """Of models: how much more loss is a loss of quality (0.01 is 1 % more nats); None: quality is not compared."""
    suite: str = ""
    """Where models are looked for that are named."""
    trust_remote_code: bool = False
    """Whether code that comes with a hub's model may run."""
    out: Path = COMPARISONS
    seed: int | None = None
    patience: Patience = field(default_factory=Patience)


def ab(
    a: Arms,
    b: Arms = NOTHING_SAID,
    shared: ArmChoice = NOTHING_SAID,
    *,
    rule: Rule | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    threads: int | None = None,
    tolerance: float | None = None,
    same_arms: bool = False,
    work: ModelWork | None = None,
    quality_margin: float | None = QUALITY_MARGIN,
    suite: str = "",
    trust_remote_code: bool = False,
    out: Path = COMPARISONS,
    seed: int | None = None,
    patience: Patience | None = None,
    tell: Listener = lambda said: None,
) -> Comparison:
    """Compare the speed of two arms, and what they return: functions, strings as on the command line, or choices.

    The settings are those of `Question`. What is measured is written below `out` as it comes; nothing is cached. Raises
    UserError; before a KeyboardInterrupt goes on, `tell` gets the comparison as far as it went.
    """
    question = Question(
        a=a,
        b=b,
        shared=shared,
        rule=rule or Rule(),
        limits=limits or Limits(),
        clock=clock,
        threads=threads,
        tolerance=tolerance,
        same_arms=same_arms,
        work=work or ModelWork(),
        quality_margin=quality_margin,
        suite=suite,
        trust_remote_code=trust_remote_code,
        out=out,
        seed=seed,
        patience=patience or Patience(),
    )
    begun = begin(question, tell)
    try:
        begun.lockstep.go_on(1)  # what can't be compared, such as the same code twice, shows at once
        begun.measure_quality()
        begun.lockstep.measure()
    except KeyboardInterrupt:
        tell(begun.concluded(interrupted=True))
        raise
    except NoRoom:
        tell(begun.judged(interrupted=True))
        raise
    except UserError as error:
        raise begun.failed(error) from None
    return begun.concluded()


def begin(question: Question, tell: Listener = lambda said: None) -> Begun:
    """Find and build the arms; nothing is measured yet. Raises UserError."""
    threads = default_threads() if question.threads is None else question.threads
    if threads < 1:
        raise UserError("at least one thread is needed", place="--threads")
    margin = question.quality_margin
    if margin is not None and not 0 < margin < 10:
        raise UserError("is a share above 0, such as 0.01 for 1 %", place="--quality-margin")
    arms = {side: prepare(choice, side, tell) for side, choice in chosen(question).items()}
    if any(arm.choice.model for arm in arms.values()):
        arms = {side: _opening_a_model(arm, side, question, threads, tell) for side, arm in arms.items()}
    return Begun(question, arms, threads, new_folder(question.out), tell)


def chosen(question: Question) -> dict[Side, ArmChoice]:
    """What each arm is, with what it leaves out. Raises UserError."""
    a = choice_of(question.a, "arm a")
    b = a if question.same_arms else choice_of(question.b, "arm b")
    a, b = a.with_defaults(question.shared), b.with_defaults(question.shared)
    sides: dict[Side, ArmChoice] = {"a": a.with_defaults(b.without_opening), "b": b.with_defaults(a)}
    for side, choice in sides.items():
        check(choice, f"arm {side}")
        if not choice.runs_something:
            raise UserError(
                "it runs nothing: name a function (module:function), a command or a model", place=f"arm {side}"
            )
    return sides


def _opening_a_model(arm: Arm, side: Side, question: Question, threads: int, tell: Listener) -> Arm:
    if not arm.choice.model:
        return arm
    return with_model(arm, question.work, side, question.suite, question.trust_remote_code, threads, tell)


class Begun:
    """A comparison whose arms are there: it is measured by its `lockstep`, at once or in slices, and concluded."""

    def __init__(self, question: Question, arms: dict[Side, Arm], threads: int, folder: Path, tell: Listener) -> None:
        self.question, self.arms, self.threads, self.folder = question, arms, threads, folder
        self.quality: QualityOfArms | None = None
        self._tell = tell
        self._began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._clock = time.monotonic()
        self._seed = secrets.randbits(32) if question.seed is None else question.seed
        self._record = Record(folder)
        self._record(self._first_line())
        self.lockstep = Lockstep(
            arms,
            question.rule,
            question.limits,
            clock=question.clock,
            start=self._start,
            record=self._record,
            tell=tell,
            seed=self._seed,
            search=str(Path.cwd()),
            same_arms=question.same_arms,
            patience=question.patience,
        )

    def measure_quality(self) -> None:
        """Have both arms read the documents, where they run models. Raises ArmFailed."""
        question = self.question
        are_models = all(arm.described and "source" in arm.choice.arguments for arm in self.arms.values())
        if not are_models or question.same_arms or question.quality_margin is None:
            return
        self._tell("quality: each arm reads the same documents")
        generator = np.random.default_rng(self._seed)
        drawn = draw(generator)

        def read(side: Side, arm: Arm) -> list[Row]:
            patience = question.patience.start
            return quality_of(arm, side, lambda one, of: self._start(one, of, drawn), str(Path.cwd()), patience)

        self.quality = qualities(self.arms, read, question.quality_margin)
        self._record({"kind": "quality", **self.quality.as_json()})

    def failed(self, error: UserError) -> UserError:
        """The error that ends it, with where what was measured before it is."""
        self._record({"kind": "failed", "sentence": str(error)})
        more = lacks_harness(error.message) if isinstance(error, ArmFailed) else ""
        if self.lockstep.measured.first:
            more += f"\n(the launches before it are in {self.folder})"
        return type(error)(f"{error.message}{more}", place=error.place) if more else error

    def concluded(self, *, interrupted: bool = False) -> Comparison:
        """The verdict on what was measured; it is kept, and the launches of identical code go into the ledger."""
        question, done = self.question, self.lockstep.measured
        identical = [*done.differences, *done.fresh_differences] if question.same_arms else done.beside_differences
        if identical:
            judged, workload = self.lockstep.clock or "wall", self.arms["a"].workload
            entry = ledger.Entry(
                self._began,
                fingerprint().machine_class,
                workload,
                judged,
                self.threads,
                tuple(identical),
                others_of(done),
            )
            ledger.keep(entry)
        made = self.judged(interrupted=interrupted)
        text = strict_json.dumps(made.as_json(), indent=2)
        kept_file.write_json(self.folder / VERDICT, text + "\n", VERDICT)
        return made

    def judged(self, *, interrupted: bool = False) -> Comparison:
        """The verdict on what was measured so far."""
        question, done = self.question, self.lockstep.measured
        judged, machine = self.lockstep.clock or "wall", fingerprint().machine_class
        outcome = judge(done, question.rule, question.limits, question.tolerance, interrupted, self.quality)
        return Comparison(
            folder=self.folder,
            arms=self.arms,
            rule=question.rule,
            clock=judged,
            threads=self.threads,
            tolerance=question.tolerance,
            same_arms=question.same_arms,
            measured=done,
            outcome=outcome,
            differs=tuple(what_differs(done.first[0].launch, self.arms)) if done.first else (),
            realized=ledger.realized(ledger.entries(machine), question.rule, question.limits.launches),
            machine=machine,
            seconds=time.monotonic() - self._clock,
            quality=self.quality,
        )

    def _start(self, side: Side, arm: Arm, drawn: Draw) -> Worker:
        environment = environment_of(arm, self.threads, drawn.layout(side))
        return ArmProcess(side, arm, environment, self.folder / f"{side}.log")

    def _first_line(self) -> dict[str, Any]:
        """What is known before the first launch."""
        question = self.question
        arms = {side: {"text": str(arm), **arm.settings, "python": arm.python} for side, arm in self.arms.items()}
        return {
            "kind": "comparison",
            "time": self._began,
            "seed": self._seed,
            "rule": asdict(question.rule),
            "limits": asdict(question.limits),
            "arms": arms,
            "clock": question.clock,
            "threads": self.threads,
            "waits": QUIET_WAITS,
            "machine": fingerprint().model_dump(mode="json"),
        }
