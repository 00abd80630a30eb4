"""What is timed of a change: each unit of work with the comparison that decides it, or the reason why none does.

What can't be measured is that unit's failure alone: where the head's arm ends and the base's does not, the change broke
it; a function that the base does not have yet is new, and has no baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import ArmFailed
from harness.gate.arms.arm_worker import NO_MODULE, NO_NAME
from harness.gate.judgment import Judged
from harness.gate.lockstep.begun import Begun
from harness.gate.lockstep.compared import Comparison, Listener
from harness.gate.lockstep.judged import judged_row
from harness.gate.lockstep.launch import Patience, Side
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.question import Question
from harness.gate.lockstep.record import new_folder
from harness.gate.lockstep.same_code import SameCode
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.statistics.speed_decision import Rule

UNCHANGED = "unchanged: the base and the head run the same code for it"


@dataclass(eq=False)
class TimedWork:
    """One unit of work."""

    title: str
    metric: str
    """What it decides: `decode_rate`, or `time` of a call."""
    at: dict[str, Scalar]
    rule: Rule
    begun: Begun | None = None
    settled: tuple[Verdict, str] | None = None
    """Where nothing is measured (any more): the verdict, and why."""
    asks: dict[str, Any] = field(default_factory=dict)
    """What is timed, in the words of `harness ab`: call, setup, arguments, threads."""
    why_new: str | None = None
    """Why there is nothing to compare with: the base lacks it, and the head can do it."""
    comparison: Comparison | None = field(default=None, compare=False)

    def failed(self, error: UserError) -> None:
        """What ended it settles it."""
        if isinstance(error, SameCode):
            self.settled = Verdict.PASS, UNCHANGED
            return
        told = error if self.begun is None else self.begun.failed(error)
        self.settled = Verdict.USAGE, str(told)
        if not isinstance(error, ArmFailed):
            return
        if self.begun is None or self.begun.lockstep.measured.first:  # both worked, until one didn't
            if error.place == "arm b":
                self.settled = Verdict.FAIL, f"it works in the base, and {told}"
            return
        other = self.begun.alone("a" if error.place == "arm b" else "b")  # which is asked first, chance decides
        if other is not None:
            self.settled = Verdict.USAGE, f"neither the base nor the head can do it: {error}; {other}"
        elif error.place == "arm b":
            self.settled = Verdict.FAIL, f"it works in the base, and {told}"
        elif lacks_the_call(error):  # what else stops the base may be of this machine
            self.why_new = str(error)

    def judged(self, *, interrupted: bool = False) -> Judged:
        """The verdict, as a row of the gate."""
        verdict, reason = self.settled or (Verdict.INCONCLUSIVE, "there was no time to measure it")
        row = Judged(
            verdict=verdict,
            reason=reason,
            at=self.at,
            metric=self.metric,
            kind=Kind.TIME,
            margin=self.rule.margin,
            details={"asks": self.asks, "unchanged": reason == UNCHANGED},
        )
        if self.settled is not None or self.begun is None or not self.begun.lockstep.measured.first:
            return row
        done = self.comparison = self.begun.concluded(interrupted=interrupted)
        row = judged_row(done, self.metric, self.at)
        return replace(row, details={"asks": self.asks, **row.details})


def lacks_the_call(error: ArmFailed) -> bool:
    """Whether an arm failed as what it should call is not there."""
    return any(f" {words} " in f" {error.message} " for words in (NO_MODULE, NO_NAME))


def begin_with(
    work: TimedWork,
    arms: Callable[[], dict[Side, Arm]],
    *,
    threads: int,
    tolerance: float | None,
    minutes: float,
    folder: Path,
    seed: int | None,
    patience: Patience,
    tell: Listener,
) -> None:
    """Open the arms of a unit of work; where that can't be done, it is settled."""
    try:
        opened = arms()
        question = Question(
            a=opened["a"].choice,
            b=opened["b"].choice,
            rule=work.rule,
            limits=Limits(minutes=minutes),
            threads=threads,
            tolerance=tolerance,
            quality_margin=None,
            out=folder,
            seed=seed,
            patience=patience,
        )
        work.begun = Begun(question, opened, threads, new_folder(folder), tell)
    except UserError as error:
        work.failed(error)
