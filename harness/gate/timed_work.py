"""Units of work that a change may have made slower, each with the comparison that decides it or the reason why none does.

A comparison that fails is that unit's failure alone: where the head's arm fails and the base's does not, the change broke
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.gate.ab import Begun, Comparison
from harness.gate.arm_process import ArmFailed
from harness.gate.judgment import Judged
from harness.gate.lockstep import Measured
from harness.gate.record import NoRoom
from harness.gate.same_code import SameCode
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.statistics.intervals import Interval
from harness.statistics.speed_decision import Rule

UNCHANGED = "unchanged: both states run the same code for it"


@dataclass
class TimedWork:
    """One unit of work."""

    title: str
    metric: str
    """The gated metrics that it decides, or `call`."""
    at: dict[str, Scalar]
    rule: Rule
    begin: Callable[[], Begun]
    """Finds and opens its arms. Raises UserError."""
    begun: Begun | None = None
    settled: tuple[Verdict, str] | None = None
    """Where there is nothing to measure: the verdict, and why."""
    comparison: Comparison | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> Measured:
        """What was measured so far."""
        return Measured() if self.begun is None else self.begun.lockstep.measured

    def go_on(self, launches: int | None = None, until: float | None = None) -> bool:
        """As `Lockstep.go_on`; what goes wrong settles it. Raises NoRoom."""
        if self.settled is not None:
            return True
        try:
            if self.begun is None:
                self.begun = self.begin()
            return self.begun.lockstep.go_on(launches, until)
        except SameCode:
            self.settled = Verdict.PASS, UNCHANGED
        except NoRoom:
            raise
        except UserError as error:
            broke = isinstance(error, ArmFailed) and error.place == "arm b"
            told = error if self.begun is None else self.begun.failed(error)
            why = "it was fine in the base: " if broke else ""
            self.settled = (Verdict.FAIL if broke else Verdict.USAGE), f"{why}{told}"
        return True

    def concluded(self, *, interrupted: bool = False) -> Judged:
        """The verdict, as a row of the gate."""
        verdict, reason = self.settled or (Verdict.INCONCLUSIVE, "there was no time left to measure it")
        change = seen = None
        details = dict(self.details)
        if self.settled is None and self.begun is not None and self.begun.lockstep.measured.first:
            done = self.comparison = self.begun.concluded(interrupted=interrupted)
            outcome = done.outcome
            ratio = outcome.cpu_ratio if done.clock == "cpu" else outcome.wall_ratio
            verdict, reason, seen = outcome.verdict, "; ".join(outcome.reasons), outcome.seen
            change = None if ratio is None else _less_one(ratio)
            details |= {"comparison": str(done.folder), "clock": done.clock, "launches": outcome.launches}
            details |= {"fresh_launches": outcome.fresh, "faster": outcome.faster}
        return Judged(
            verdict=verdict,
            reason=reason,
            at=self.at,
            metric=self.metric,
            kind=Kind.TIME,
            margin=self.rule.margin,
            change=change,
            seen=seen,
            details=details,
        )


def _less_one(ratio: Interval) -> Interval:
    low, high = (None if end is None else end - 1 for end in (ratio.low, ratio.high))
    return Interval(ratio.value - 1, low, high, ratio.n)
