"""What is timed of a change: each unit of work with the comparison that decides it, or the reason why none does.

What can't be measured is that unit's failure alone: where the head's arm ends and the base's does not, the change broke
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.gate.arm import Arm
from harness.gate.arm_process import ArmFailed
from harness.gate.begun import Begun
from harness.gate.compared import Comparison, Listener
from harness.gate.judgment import Judged
from harness.gate.launch import Side
from harness.gate.lockstep import Limits
from harness.gate.question import Question
from harness.gate.record import new_folder
from harness.gate.same_code import SameCode
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.statistics.intervals import Interval
from harness.statistics.speed_decision import Rule

UNCHANGED = "unchanged: the base and the head run the same code for it"


@dataclass
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
    comparison: Comparison | None = field(default=None, compare=False)

    def failed(self, error: UserError) -> None:
        """What ended it settles it."""
        if isinstance(error, SameCode):
            self.settled = Verdict.PASS, UNCHANGED
            return
        broke = isinstance(error, ArmFailed) and error.place == "arm b"
        if broke and self.begun is not None and not self.begun.lockstep.measured.first:
            base = self.begun.lockstep.why_base_fails()  # chance decides which of two broken ones is told of first
            error, broke = (error, True) if base is None else (base, False)
        told = error if self.begun is None else self.begun.failed(error)
        self.settled = (Verdict.FAIL, f"it works in the base, and {told}") if broke else (Verdict.USAGE, str(told))

    def judged(self, *, interrupted: bool = False) -> Judged:
        """The verdict, as a row of the gate."""
        verdict, reason = self.settled or (Verdict.INCONCLUSIVE, "there was no time to measure it")
        row = Judged(
            verdict=verdict, reason=reason, at=self.at, metric=self.metric, kind=Kind.TIME, margin=self.rule.margin
        )
        if self.settled is not None or self.begun is None or not self.begun.lockstep.measured.first:
            return row
        done = self.comparison = self.begun.concluded(interrupted=interrupted)
        outcome = done.outcome
        ratio = outcome.cpu_ratio if done.clock == "cpu" else outcome.wall_ratio
        return Judged(
            verdict=outcome.verdict,
            reason="; ".join(outcome.reasons),
            at=self.at,
            metric=self.metric,
            unit="ms",
            kind=Kind.TIME,
            base=_milliseconds(done, "a"),
            head=_milliseconds(done, "b"),
            margin=self.rule.margin,
            change=None if ratio is None else _less_one(ratio),
            seen=outcome.seen,
            details={
                "comparison": str(done.folder),
                "clock": done.clock,
                "faster": outcome.faster,
                "launches": outcome.launches,
                "fresh_launches": outcome.fresh,
                "others_share": outcome.others,
            },
        )


def begin_with(
    work: TimedWork,
    arms: Callable[[], dict[Side, Arm]],
    *,
    threads: int,
    tolerance: float | None,
    minutes: float,
    folder: Path,
    seed: int | None,
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
        )
        work.begun = Begun(question, opened, threads, new_folder(folder), tell)
    except UserError as error:
        work.failed(error)


def _milliseconds(done: Comparison, side: Side) -> float:
    """The median over turns of what one call took of an arm, by the clock that is judged."""
    times = [
        (turn.wall_ns if done.clock == "wall" else turn.cpu_ns) / one.launch.pace.repeats / 1e6
        for one in (*done.measured.first, *done.measured.fresh)
        for turn in one.launch.turns
        if turn.arm == side
    ]
    return float(np.median(times))


def _less_one(ratio: Interval) -> Interval:
    low, high = (None if end is None else end - 1 for end in (ratio.low, ratio.high))
    return Interval(ratio.value - 1, low, high, ratio.n)
