"""A comparison whose arms are there: it is measured, at once or in slices, and concluded."""

from __future__ import annotations

import datetime
import secrets
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness import kept_file, strict_json
from harness.comparison.paired_quality import PairedQuality
from harness.errors import UserError, WrongArgument
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import QUIET_WAITS, ArmFailed, ArmProcess, Worker, environment_of
from harness.gate.arms.environment import prepare
from harness.gate.arms.model_arm import entry_of, lacks_harness, with_model
from harness.gate.arms.revision import state_of_arm
from harness.gate.lockstep import ledger
from harness.gate.lockstep.compared import Comparison, Listener
from harness.gate.lockstep.launch import Draw, Side, asked, draw
from harness.gate.lockstep.lockstep import Lockstep
from harness.gate.lockstep.outcome import judge, others_of
from harness.gate.lockstep.quality_of_arms import Rows, as_json, probe_of, qualities
from harness.gate.lockstep.question import Question, chosen
from harness.gate.lockstep.record import NoRoom, Record, new_folder
from harness.gate.lockstep.same_code import what_differs
from harness.results.fingerprint import fingerprint
from harness.threads import default_threads

VERDICT = "verdict.json"


def begin(question: Question, tell: Listener = lambda said: None) -> Begun:
    """Find and build the arms; nothing is measured yet. Raises UserError."""
    threads = default_threads() if question.threads is None else question.threads
    if threads < 1:
        raise WrongArgument("at least one thread is needed", place="threads")
    margin = question.quality_margin
    if margin is not None and not 0 < margin < 10:
        raise WrongArgument("is a share above 0, such as 0.01 for 1 %", place="quality_margin")
    sides = chosen(question)
    for side, choice in sides.items():
        if choice.model:  # a slip of the hand is told before anything is built
            entry_of(choice.model, question.suite, f"arm {side}")
    arms = {side: prepare(choice, side, tell) for side, choice in sides.items()}
    if any(arm.choice.model for arm in arms.values()):
        arms = {side: _opening_a_model(arm, side, question, threads, tell) for side, arm in arms.items()}
    return Begun(question, arms, threads, new_folder(question.out), tell)


def _opening_a_model(arm: Arm, side: Side, question: Question, threads: int, tell: Listener) -> Arm:
    if not arm.choice.model:
        return arm
    return with_model(arm, question.work, side, question.suite, question.trust_remote_code, threads, tell)


class Begun:
    """A comparison whose arms are there: it is measured by its `lockstep`, at once or in slices, and concluded."""

    def __init__(self, question: Question, arms: dict[Side, Arm], threads: int, folder: Path, tell: Listener) -> None:
        self.question, self.arms, self.threads, self.folder = question, arms, threads, folder
        self.quality: PairedQuality | None = None
        self._tell = tell
        self._began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._clock = time.monotonic()
        self._states = {side: state_of_arm(arm) for side, arm in arms.items()}
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

    def first_look(self) -> None:
        """One launch, by which what can't be compared shows, such as the same code twice; then the quality of models.
        Raises as `Lockstep.measure` does."""
        self.lockstep.go_on(1)
        self._measure_quality()

    def _measure_quality(self) -> None:
        """Have both arms probed, where they run models."""
        question = self.question
        are_models = all(arm.described and "source" in arm.choice.arguments for arm in self.arms.values())
        if not are_models or question.quality_margin is None:
            return
        self._tell("quality: each arm reads the same text and goes on with some of it")
        generator = np.random.default_rng(self._seed)
        drawn = draw(generator)

        def probe(side: Side, arm: Arm) -> Rows | str:
            patience = question.patience.start
            return probe_of(arm, side, lambda one, of: self._start(one, of, drawn), str(Path.cwd()), patience)

        self.quality = qualities(self.arms, probe, question.quality_margin, question.rule)
        self._record({"kind": "quality", **as_json(self.quality)})

    def alone(self, side: Side) -> ArmFailed | None:
        """Start one arm by itself: why it can't be loaded and called; None where it can."""
        patience = self.question.patience.start
        arm = self.arms[side]
        worker: Worker | None = None
        try:
            worker = self._start(side, arm, draw(np.random.default_rng(self._seed)))
            worker.ask("open", patience, search=[str(Path.cwd())], **asked(arm))
            worker.ask("warm", patience, seconds=0.0)
        except ArmFailed as error:
            return error
        finally:
            if worker is not None:
                worker.close()
        return None

    def failed(self, error: UserError) -> UserError:
        """The error that ends it, with where what was measured before it is."""
        with suppress(NoRoom):
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
            began=self._began,
            states=self._states,
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
