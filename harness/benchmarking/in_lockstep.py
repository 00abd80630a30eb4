"""A comparison of two models in processes of their own, which take turns: an interval over launches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.benchmarking.pairing import Compared, Pairing, Variant
from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice
from harness.gate.arms.model_choice import ModelChoice
from harness.gate.arms.model_part import ModelWork, Part
from harness.gate.lockstep.begun import begin
from harness.gate.lockstep.launches_table import table
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.question import Question
from harness.statistics.sign_flip_process import launches_needed

PARTS: Mapping[str, Part] = {"ttft": "prefill", "tpot": "decode"}
FOLDER = "lockstep"
"""Below a run: a folder for each comparison, with every turn."""
HOW = "values that no sign-flip test over launches rejects; each launch is a process of both, which take turns"
NEEDED = launches_needed(0.025)
"""The fewest launches, or rounds, of which one has an interval of 95 %."""


def compare_in_lockstep(
    pairing: Pairing,
    *,
    run: Path,
    threads: int | None,
    device: str,
    trust_remote_code: bool,
    going: Callable[[int], None],
) -> Compared:
    """Measure `pairing.launches` launches, no more and no fewer, so that the interval does not depend on what was seen.
    run: the run folder, below which every turn is written. going: is told of each launch before it, from 0."""
    question = Question(
        a=_arm(pairing.base, device),
        b=_arm(pairing.head, device),
        limits=Limits(pairing.launches, minutes=24 * 60),
        clock="wall",
        threads=threads,
        work=ModelWork(PARTS[pairing.times], pairing.prompt, pairing.new, pairing.batch),
        quality_margin=None,
        trust_remote_code=trust_remote_code,
        out=run / FOLDER,
    )
    try:
        begun = begin(question)
        for number in range(pairing.launches):
            going(number)
            begun.lockstep.go_on(1)
        concluded = begun.concluded()
    except UserError as error:
        return Compared(None, None, "", "launches", None, error.message)
    outcome, evidence = concluded.outcome, table(concluded.measured)
    return Compared(outcome.wall_ratio, outcome.scatter, how(outcome.wall_ratio, HOW, "launches"), "launches", evidence)


def how(ratio: object, made: str, unit: str) -> str:
    """How an interval was made, or why there is none."""
    return f"none: too few {unit}, {NEEDED} give one" if getattr(ratio, "low", None) is None else made


def _arm(variant: Variant, device: str) -> ArmChoice:
    entry = {key: value for key, value in variant.entry.items() if key != "matrix"}
    return ArmChoice(model=ModelChoice(entry=entry, precision=variant.precision, device=device))
