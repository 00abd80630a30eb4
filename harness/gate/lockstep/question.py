"""What is asked of two arms, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UserError
from harness.gate.arms.arm import NOTHING_SAID, ArmChoice, check
from harness.gate.arms.callables import Arms, choice_of
from harness.gate.arms.model_part import ModelWork
from harness.gate.lockstep.launch import Clock, Patience, Side
from harness.gate.lockstep.lockstep import Limits
from harness.statistics.speed_decision import Rule

COMPARISONS = Path("results/ab")
QUALITY_MARGIN = 0.01


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
    """Of models: how much more loss is a loss of quality (0.01: 1 % more bits); None: quality is not compared."""
    suite: str = ""
    """Where models are looked for that are named."""
    trust_remote_code: bool = False
    """Whether code that comes with a hub's model may run."""
    out: Path = COMPARISONS
    seed: int | None = None
    patience: Patience = field(default_factory=Patience)


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
