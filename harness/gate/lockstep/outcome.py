"""The verdict of a comparison in lockstep, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, sqrt

import numpy as np

from harness.comparison.paired_quality import PairedQuality
from harness.gate.arms.outputs import OutputComparison, Sameness
from harness.gate.lockstep.launch import Clock
from harness.gate.lockstep.lockstep import ENOUGH_TO_CONFIRM, Limits, Measured, Observation
from harness.gate.verdict import Verdict as Verdict
from harness.statistics.intervals import Interval
from harness.statistics.sign_flip_process import (
    evidence_above,
    evidence_below,
    median_interval,
    smallest_seen,
    strongest,
)
from harness.statistics.speed_decision import Decision, Rule, decide, is_faster, stands

Z_SEEN = 2.487
"""Quantiles of the normal distribution at 0.95 and 0.8: a one-sided test at 5 %, and a chance of 80 % to see."""


@dataclass(frozen=True)
class Outcome:
    """A verdict with what it rests on. Ratios are of b's time over a's."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Why, most important first."""
    faster: bool
    """Whether b is claimed to be faster by the margin or more."""
    wall_ratio: Interval | None
    """Of time that goes by, with its 95 % interval; None before the first launch ended."""
    cpu_ratio: Interval | None
    """Of CPU time; None where a launch shows none."""
    seen: float | None
    """The smallest slowdown that as many launches as there may be show with a chance of 80 %; None if not known."""
    scatter: float | None
    """Standard deviation of launches of identical code, of the logarithm of the ratio; None for fewer than three."""
    outputs: OutputComparison
    launches: int
    fresh: int
    beside: int
    others: float | None
    """Part of the cores' time that others took, the median over launches."""


NOT_COMPARED = OutputComparison(Sameness.UNCHECKED, reason="nothing was measured")


def judge(
    done: Measured,
    rule: Rule,
    limits: Limits,
    tolerance: float | None = None,
    interrupted: bool = False,
    quality: PairedQuality | None = None,
) -> Outcome:
    """What was measured, judged. quality: of models; None where nothing was read."""
    verdict, reasons, faster = _speed(done, rule, limits, interrupted)
    outputs = _outputs(done, tolerance)
    void = _void(outputs, tolerance, quality, slower=verdict is Verdict.FAIL)
    if void is not None:
        verdict, reasons, faster = void[0], (void[1], *reasons), False
    elif quality is not None and quality.decision is Decision.MINOR:
        reasons = (*reasons, quality.sentence)
        verdict = Verdict.MINOR if verdict is Verdict.PASS else verdict
    both = [*done.first, *done.fresh]
    beside = done.beside_differences
    seen = smallest_seen(_noise(done), limits.launches, rule.fail_alpha / rule.tests)
    return Outcome(
        verdict=verdict,
        reasons=tuple(reasons),
        faster=faster,
        wall_ratio=_ratio(both, "wall"),
        cpu_ratio=_ratio(both, "cpu"),
        seen=None if seen is None else expm1(seen),
        scatter=float(np.sqrt(np.mean(np.square(beside)))) if len(beside) > 2 else None,
        outputs=outputs,
        launches=len(done.first),
        fresh=len(done.fresh),
        beside=len(done.beside),
        others=others_of(done),
    )


def others_of(done: Measured) -> float | None:
    """Part of the cores' time that others took, the median over launches; None where no launch tells."""
    shares = [one.others for one in (*done.first, *done.fresh, *done.beside) if one.others is not None]
    return float(np.median(shares)) if shares else None


def _void(
    outputs: OutputComparison, tolerance: float | None, quality: PairedQuality | None, *, slower: bool
) -> tuple[Verdict, str] | None:
    """Why the speed does not count, and the verdict then; None where it does. slower: b is, which stands whatever is
    undecided of what it returns."""
    if quality is not None and quality.decision is Decision.FAIL:
        return Verdict.FAIL, f"quality: {quality.sentence}; speed counts only where it holds"
    if outputs.within(tolerance) is False:
        return Verdict.FAIL, f"outputs: {outputs.sentence(tolerance)}; speed counts only where they agree"
    if not outputs.as_much:
        assert outputs.length is not None
        return Verdict.INCONCLUSIVE, (
            f"outputs: b returns {100 * outputs.length:.3g} % as much as a, and speed counts only from 90 to 110 %"
        )
    if slower:
        return None
    if quality is not None and quality.decision is Decision.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE, f"quality: {quality.sentence}; speed counts only where it holds"
    if outputs.unsteady and tolerance is not None:
        return Verdict.INCONCLUSIVE, f"outputs: {outputs.reason}"
    return None


def _speed(done: Measured, rule: Rule, limits: Limits, interrupted: bool) -> tuple[Verdict, tuple[str, ...], bool]:
    """Verdict, reasons, and whether b is faster."""
    d, fresh = done.differences, done.fresh_differences
    decision, gained = decide(d, rule), is_faster(d, rule)
    margin = f"{100 * rule.margin:g} %"
    if interrupted and (decision is Decision.INCONCLUSIVE or not _is_confirmed(decision, gained, fresh)):
        return Verdict.INCONCLUSIVE, (f"interrupted after {_launches(len(d))}",), False
    if (biased := _bias(done, rule)) is not None:
        return Verdict.INCONCLUSIVE, (biased,), False
    if decision is Decision.FAIL:
        if stands(d, fresh, rule):
            return Verdict.FAIL, (f"slower by {_change(done)} (margin {margin}), also when measured once more",), False
        return Verdict.INCONCLUSIVE, (_not_confirmed(done, "slower"),), False
    if decision is Decision.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE, (_undecided(done, rule, limits, margin),), False
    if gained and stands(d, fresh, rule, slower=False):
        said = f"faster by {_change(done, slower=False)} (margin {margin}), also when measured once more"
        return Verdict.PASS, (said,), True
    if (blind := _blind(done, rule, limits, margin)) is not None:
        return Verdict.INCONCLUSIVE, (blind,), False
    if decision is Decision.MINOR:
        return Verdict.MINOR, (f"slower by {_change(done)}, and not by {margin} or more",), False
    more = (_not_confirmed(done, "faster"),) if gained else ()
    return Verdict.PASS, (f"not slower by {margin} or more", *more), False


def _change(done: Measured, *, slower: bool = True) -> str:
    """By how many percent b takes more time (or less), with the interval: `9.6 % [9.1, 10.2]`."""
    sign = 1 if slower else -1
    value, low, high, _ = median_interval([*done.differences, *done.fresh_differences])
    ends = sorted(sign * 100 * expm1(end) for end in (low, high) if end is not None)
    interval = f" [{ends[0]:.3g}, {ends[1]:.3g}]" if len(ends) == 2 else ""
    return f"{sign * 100 * expm1(value):.3g} %{interval}"


def _is_confirmed(decision: Decision, gained: bool, fresh: Sequence[float]) -> bool:
    """Whether what there is to be measured once more was."""
    return len(fresh) >= ENOUGH_TO_CONFIRM or not (decision is Decision.FAIL or gained)


def _not_confirmed(done: Measured, what: str) -> str:
    if len(done.fresh) < ENOUGH_TO_CONFIRM:
        return f"{what} in {len(done.first)} launches, but the time ended before that could be measured once more"
    first, again = (expm1(float(np.median(part))) for part in (done.differences, done.fresh_differences))
    return (
        f"{what} in {_launches(len(done.first))} ({_percent(first)}), "
        f"which {_launches(len(done.fresh))} to measure it once more ({_percent(again)}) did not confirm"
    )


def _bias(done: Measured, rule: Rule) -> str | None:
    """Why this machine can't be believed now: it tells a from itself."""
    d = done.beside_differences
    if not d:
        return None
    if max(strongest(evidence_above(d)), strongest(evidence_below(d))) < rule.to_fail:
        return None
    return (
        f"a against itself differs by {_percent(expm1(float(np.median(d))))} in {len(d)} launches: "
        "something favors one of two processes here, so no difference can be believed"
    )


def _blind(done: Measured, rule: Rule, limits: Limits, margin: str) -> str | None:
    """Why a pass can't be believed: the launches scatter too much for as many as there may be to show the margin.

    What they show is the textbook's, (z of 0.95 + z of 0.8) * deviation / sqrt(launches): a bound that a machine has to
    keep, beside the evidence that a pass needs anyway.
    """
    if len(done.beside) < 3:
        return None
    deviation = float(np.std(_noise(done), ddof=1))
    seen = Z_SEEN * deviation / sqrt(limits.launches)
    if seen <= rule.log_margin:
        return None
    return (
        f"this machine can't see {margin} now: launches of identical code scatter by "
        f"{100 * deviation:.2g} %, so that {limits.launches} launches show a slowdown of "
        f"{_percent(expm1(seen))} with a chance of 80 %{_load(done)}"
    )


def _undecided(done: Measured, rule: Rule, limits: Limits, margin: str) -> str:
    ended = f"undecided after {_launches(len(done.first))}" + (f", {done.ran_out}" if done.ran_out else "")
    if (blind := _blind(done, rule, limits, margin)) is not None:
        return f"{ended}; {blind}"
    seen = smallest_seen(_noise(done), len(done.first), rule.fail_alpha / rule.tests)
    if seen is None:
        more = "--launches" if len(done.first) >= limits.launches else "--minutes"
        return f"{ended}: too few to see anything; give it more {more}"
    return (
        f"{ended}: a slowdown of {_percent(expm1(seen))} or more would have been seen (with a chance of 80 %), "
        f"and one of {margin} can't be ruled out{_load(done)}"
    )


def _load(done: Measured) -> str:
    share = others_of(done) or 0.0
    return f"; other programs took {100 * share:.0f} % of the cores" if share > 0.1 else ""


def _noise(done: Measured) -> list[float]:
    """How far launches are from what they measure: 0 for a against itself, the median for a against b."""
    d = [*done.differences, *done.fresh_differences]
    middle = float(np.median(d)) if d else 0.0
    return [*(x - middle for x in d), *done.beside_differences]


def _outputs(done: Measured, tolerance: float | None) -> OutputComparison:
    """The worst that any launch found; that of the first one where they agree. Of an arm that returns other values
    each time nothing can be told."""
    if any(one.launch.outputs.within(tolerance or 0.0) is False for one in done.beside):
        reason = "a returns other values when it runs again, so b's can't be compared with them: fix its seed"
        return OutputComparison(Sameness.UNCHECKED, reason=reason, unsteady=True)
    found = [one.launch.outputs for one in (*done.first, *done.fresh)]
    if not found:
        return NOT_COMPARED
    ranked = (Sameness.IDENTICAL, Sameness.UNCHECKED, Sameness.DIFFERENT, Sameness.OTHER_SHAPE)
    return max(found, key=lambda one: (ranked.index(one.sameness), one.worst or 0.0))


def _ratio(launches: Sequence[Observation], clock: Clock) -> Interval | None:
    found = [one.launch.difference(clock) for one in launches]
    differences = [difference for difference in found if difference is not None]
    if not differences or len(differences) < len(found):
        return None
    value, low, high, n = median_interval(differences)
    return Interval(exp(value), None if low is None else exp(low), None if high is None else exp(high), n)


def _launches(count: int) -> str:
    return f"{count} launch{'es' if count != 1 else ''}"


def _percent(share: float) -> str:
    return f"{100 * share:+.2g} %" if abs(share) < 1 else f"{100 * share:+.0f} %"
