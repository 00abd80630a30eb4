"""A comparison in words, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1

from harness.gate.lockstep.compared import Comparison
from harness.gate.lockstep.launch import SIDES, Clock
from harness.gate.lockstep.lockstep import Observation
from harness.statistics.intervals import Interval

NAMES = {"wall": "time", "cpu": "CPU time"}


def launch_line(one: Observation) -> str:
    """One launch that ended."""
    which = "a against itself" if one.launch.pairing == "aa" else "b against a"
    return f"launch {one.launch.number:>2}  {which:<16}  {100 * expm1(one.difference):+.2f} %  ({one.seconds:.1f} s)"


def lines(comparison: Comparison) -> Iterator[str]:
    """All that a comparison found, the verdict last."""
    outcome = comparison.outcome
    for side in SIDES:
        yield f"{side}         {comparison.arms[side]}"
    if comparison.differs:
        names = ", ".join(comparison.differs[:6])
        yield f"differs   {names}{f' and {len(comparison.differs) - 6} more' if len(comparison.differs) > 6 else ''}"
    ratios = {"wall": outcome.wall_ratio, "cpu": outcome.cpu_ratio}
    if (judged := ratios[comparison.clock]) is not None:
        fresh = f" + {outcome.fresh} to measure it once more" if outcome.fresh else ""
        threads = f"{comparison.threads} thread{'s' if comparison.threads > 1 else ''}"
        of = f"95 %, {outcome.launches} launches{fresh}, margin {100 * comparison.rule.margin:g} %, {threads}"
        yield f"{NAMES[comparison.clock]:<10}b takes {ratio_text(judged)} of a's  ({of})"
    other: Clock = "cpu" if comparison.clock == "wall" else "wall"
    if (shown := ratios[other]) is not None:
        yield f"{NAMES[other]:<10}{ratio_text(shown)}, which is not judged"
    if outcome.seen is not None:
        yield f"sees      a slowdown of {100 * outcome.seen:.2g} % in as many launches as it may take (chance 80 %)"
    if comparison.quality is not None:
        yield f"quality   {comparison.quality.sentence}"
    yield f"outputs   {outcome.outputs.sentence(comparison.tolerance)}"
    yield f"A/A       {identical_text(comparison)}"
    if outcome.others is not None and outcome.others > 0.1:
        yield f"load      other programs took {100 * outcome.others:.0f} % of the cores"
    yield f"record    {comparison.folder}"
    yield f"{outcome.verdict.upper()}: {'; '.join(outcome.reasons)}"


def ratio_text(ratio: Interval) -> str:
    """A ratio with its interval, where it has one."""
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.4f} [too few launches for an interval]"
    return f"{ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"


def identical_text(comparison: Comparison) -> str:
    """What is known of identical code on this machine."""
    outcome, realized = comparison.outcome, comparison.realized
    scatter = (
        "" if outcome.scatter is None else f"launches of identical code scatter by {100 * outcome.scatter:.2g} %; "
    )
    if realized.at_most is None:
        return f"{scatter}no decision on identical code yet on this machine"
    return (
        f"{scatter}on this machine {realized.alarms} of {realized.decisions} decisions on identical code were "
        f"a false FAIL (at most {100 * realized.at_most:.2g} %)"
    )
