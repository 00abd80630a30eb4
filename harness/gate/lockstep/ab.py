"""`ab`: two arms measured in lockstep until it is decided which is slower; the whole comparison as one function."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.gate.arms.arm import NOTHING_SAID, ArmChoice
from harness.gate.arms.callables import Arms
from harness.gate.arms.model_part import ModelWork
from harness.gate.lockstep.begun import begin
from harness.gate.lockstep.compared import Comparison, Listener
from harness.gate.lockstep.launch import Clock, Patience
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.question import COMPARISONS, QUALITY_MARGIN, Question
from harness.gate.lockstep.record import NoRoom
from harness.statistics.speed_decision import Rule


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
        begun.first_look()
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
