"""`ab`: two arms measured in lockstep until it is decided which is slower; the whole comparison as one function."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from harness.errors import UserError, WrongArgument, shown
from harness.gate.arms.arm import HERE, ArmChoice, check, parse_arguments, parse_arm, parse_both
from harness.gate.arms.callables import Arms
from harness.gate.arms.model_choice import NO_MODEL
from harness.gate.arms.model_part import ModelWork, part_of
from harness.gate.lockstep.begun import begin
from harness.gate.lockstep.compared import Comparison, Listener
from harness.gate.lockstep.launch import Clock, Patience
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.question import COMPARISONS, QUALITY_MARGIN, Question
from harness.gate.lockstep.record import NoRoom
from harness.statistics.speed_decision import Rule

AUTO = "auto"


def ab(
    a: Arms = HERE,
    b: Arms = HERE,
    *,
    call: str = "",
    command: str = "",
    setup: str = "",
    arguments: Any = None,
    model: str = "",
    suite: str = "",
    time: str = "decode",
    prompt: int = 128,
    generate: int = 32,
    batch: int = 1,
    steps: int = 4,
    quality_margin: float | None = QUALITY_MARGIN,
    trust_remote_code: bool = False,
    margin: float = 0.05,
    minutes: float = 10.0,
    launches: int = 48,
    clock: str = AUTO,
    timeout: float = Patience.start,
    threads: int | None = None,
    tolerance: float | None = None,
    aa: bool = False,
    out: Path | str = COMPARISONS,
    seed: int | None = None,
    tell: Listener = lambda said: None,
) -> Comparison:
    """Compare the speed of two arms, and what they return: functions, strings as on the command line, or choices.

    call, command, setup, arguments, model: what an arm runs that names nothing; arguments are a list or a mapping, or
    such as JSON. suite: whose models are named. time: what is timed of a model (`decode`, `prefill`, `generation` or
    `training`), of `prompt` and `generate` tokens, `batch` at once, or of `steps`. quality_margin: how much more loss
    is a fault (0.01: 1 % more bits); None: quality is not compared. margin: the smallest slowdown of interest. minutes,
    launches: how long to measure at most. clock: `wall`, `cpu` or `auto`. timeout: seconds after which an arm that
    hangs is ended. tolerance: by what share of its size a returned number may differ. aa: compare `a` with itself.

    What is measured is written below `out` as it comes; nothing is cached. Raises UserError; before a KeyboardInterrupt
    goes on, `tell` gets the comparison as far as it went (docs/ab.md).
    """
    if aa and not (isinstance(b, str) and b.strip() in ("", HERE)):
        raise WrongArgument("compares `a` with itself; leave out `b`", place="aa", beside=("a", "b"))
    check_limits(margin, minutes, launches, timeout)
    if tolerance is not None and not tolerance >= 0:
        raise WrongArgument("is a share of 0 or more, such as 1e-5", place="tolerance")
    check_seed(seed)
    judged = _clock(clock)
    given = parse_arguments(arguments, "arguments") if isinstance(arguments, str) else arguments
    both = parse_both(model, "model") if model.strip() else NO_MODEL
    shared = ArmChoice(call=call, command=command, setup=setup, arguments=given, model=both)
    check(shared, "call, command, model")
    question = Question(
        a=parse_arm(a, "a") if isinstance(a, str) else a,
        b=parse_arm(b, "b") if isinstance(b, str) else b,
        shared=shared,
        rule=Rule(margin=margin),
        limits=Limits(launches, minutes),
        clock=judged,
        threads=threads,
        tolerance=tolerance,
        same_arms=aa,
        work=ModelWork(part_of(time), prompt, generate, batch, steps),
        quality_margin=quality_margin,
        suite=suite,
        trust_remote_code=trust_remote_code,
        out=Path(out),
        seed=seed,
        patience=Patience(timeout, min(timeout, Patience.turn)),
    )
    return compare_arms(question, tell)


def compare_arms(question: Question, tell: Listener = lambda said: None) -> Comparison:
    """What `ab` does. Raises as it does."""
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


def check_limits(margin: float, minutes: float, launches: int, timeout: float = Patience.start) -> None:
    """Raises UserError for what no comparison can keep to."""
    if not 0 < margin < 10:
        raise WrongArgument("is a share above 0, such as 0.05 for 5 %", place="margin")
    if launches < 1 or not minutes > 0 or not timeout > 0:
        raise WrongArgument("at least one launch and some time are needed", place="launches, minutes, timeout")


def check_seed(seed: int | None) -> None:
    """Raises UserError for what is no seed."""
    if seed is not None and seed < 0:
        raise WrongArgument("is a whole number of 0 or more", place="seed")


def _clock(text: str) -> Clock | None:
    for clock in get_args(Clock):
        if text == clock:
            found: Clock = clock
            return found
    if text != AUTO:
        raise WrongArgument(f"is one of {AUTO}, {', '.join(get_args(Clock))}, not '{shown(text)}'", place="clock")
    return None
