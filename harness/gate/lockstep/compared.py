"""A comparison that was made: its arms, what was measured of them, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.comparison.paired_quality import PairedQuality
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import QUIET_WAITS
from harness.gate.lockstep import ledger
from harness.gate.lockstep.launch import Clock, Side
from harness.gate.lockstep.launches_table import table
from harness.gate.lockstep.lockstep import Measured, Observation
from harness.gate.lockstep.outcome import Outcome
from harness.gate.lockstep.quality_of_arms import as_json as quality_as_json
from harness.statistics.speed_decision import Rule

if TYPE_CHECKING:
    import pandas as pd


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
    began: str = ""
    """When (UTC)."""
    states: Mapping[Side, Mapping[str, object]] = field(default_factory=dict)
    """Commit, parents, branch, time and changes of what each arm runs, as `results.checkout.git_state` has them."""
    quality: PairedQuality | None = None
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
            "quality": None if self.quality is None else quality_as_json(self.quality),
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
            "time": self.began,
            "states": {side: dict(state) for side, state in self.states.items()},
            "seconds": round(self.seconds, 1),
            "folder": str(self.folder),
        }


Listener = Callable[[str | Observation | Comparison], None]
"""Is told sentences, launches that ended, and the comparison that Ctrl-C ended."""
