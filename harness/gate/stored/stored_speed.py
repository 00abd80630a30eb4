"""The speed of two stored runs, which were measured one after the other.

What else a machine does moves all launches of a run together, so that the interval of a run says little of how far the
next one lies: with identical code such comparisons cry regression in 10 to 40 of 100 cases. So the runs' own intervals
decide nothing. What decides is how far runs of identical code lay apart on this machine (`stored_ledger`): a slowdown
that is larger than all n of those has a chance of at most 1 / (n + 1) without a cause, and one that a pass would hide
is put to the same test. Without enough of them nothing is decided, and `harness ab` is the way.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, isfinite, log, log1p

from harness.evidence.ratio import ratio
from harness.evidence.selection import Point
from harness.gate.verdict import Verdict
from harness.results.record import Direction
from harness.statistics.exchangeable import chance_of, needed, smallest_unlikely
from harness.statistics.intervals import Interval

ENOUGH_LAUNCHES = 5
"""Of each run. Fewer have no interval worth showing, and one launch may be odd as a whole."""
PARTS = {
    **dict.fromkeys(("ttft", "prefill_rate", "mfu"), "prefill"),
    **dict.fromkeys(("training_rate", "training_mfu", "seconds_to_target"), "training"),
}
"""What `harness ab --time` is told of a metric, where that is not decoding."""


@dataclass(frozen=True)
class StoredSpeed:
    """What two stored runs say of one timed metric."""

    verdict: Verdict
    sentence: str
    change: Interval | None
    """How much more time the head takes, as a share; the interval is that of the runs themselves."""
    seen: float | None
    """The smallest slowdown that would have been a FAIL, as a share."""
    p: float | None


def log_time_ratio(base: Point, head: Point) -> float | None:
    """Logarithm of the head's time over the base's; None where one is no positive number or nothing is better."""
    a, b = base.record.value, head.record.value
    if a is None or b is None or not (a > 0 and b > 0 and isfinite(a) and isfinite(b)):
        return None
    if head.record.direction is Direction.NONE:
        return None
    return log(b / a) if head.record.direction is Direction.LOWER else log(a / b)


def time_change(base: Point, head: Point) -> Interval | None:
    """How much more time the head takes, as a share, with the interval that the two runs' own intervals give."""
    if log_time_ratio(base, head) is None:
        return None
    found = ratio(head, base) if head.record.direction is Direction.LOWER else ratio(base, head)
    if found is None:
        return None
    low, high = (None if end is None else end - 1 for end in (found.low, found.high))
    return Interval(found.value - 1, low, high, min(base.record.n or 0, head.record.n or 0))


def judge_stored_speed(
    base: Point, head: Point, margin: float, known: Sequence[float], *, alpha: float, pass_alpha: float
) -> StoredSpeed:
    """The verdict on one timed metric. known: differences of identical code that tell of these two (`alike`)."""
    change, d = time_change(base, head), log_time_ratio(base, head)
    if d is None:
        return StoredSpeed(Verdict.INCONCLUSIVE, "one of the two values is no time", change, None, None)
    p = chance_of(d, known) if known else None
    launches = [point.record.n or 0 if point.record.n_unit == "launches" else 1 for point in (base, head)]
    told = f"it takes {more_or_less(d)} time"
    if min(launches) < ENOUGH_LAUNCHES:
        why = (
            f"{told}, which two stored runs of {launches[0]} and {launches[1]} launches do not show ({ENOUGH_LAUNCHES} "
            f"are the least): {ab_command(base, head, margin)} decides it"
        )
        return StoredSpeed(Verdict.INCONCLUSIVE, why, change, None, p)
    limit, least = f"{100 * margin:g} %", smallest_unlikely(known, alpha)
    seen = None if least is None else expm1(max(least, log1p(margin)))
    pairs = f"{len(known)} pair{'s' if len(known) != 1 else ''} of runs of identical code"
    if d >= log1p(margin) and chance_of(d, known) <= alpha:
        why = f"{told} (margin {limit}); {pairs} differed by {_percent(_largest(known))} at most"
        return StoredSpeed(Verdict.FAIL, why, change, seen, p)
    if d < log1p(margin) and chance_of(log1p(margin) - d, known) <= pass_alpha:
        why = f"{told}, not {limit} or more: {pairs} differed by {_percent(_largest(known))} at most"
        return StoredSpeed(Verdict.PASS, why, change, seen, p)
    if len(known) < needed(pass_alpha):
        lack = f"this machine has {pairs} of this cell, and {needed(pass_alpha)} are needed to pass"
        lack += f" ({needed(alpha)} to fail)"
    else:
        lack = f"{pairs} differed by up to {_percent(_largest(known))}"
        lack += f", so that a slowdown of {_percent(seen)} would have been seen" if seen is not None else ""
    why = (
        f"{told}, and two runs made one after the other are no evidence of {limit}: {lack}; "
        f"{ab_command(base, head, margin)} decides it"
    )
    return StoredSpeed(Verdict.INCONCLUSIVE, why, change, seen, p)


def ab_command(base: Point, head: Point, margin: float) -> str:
    """The command that decides in lockstep what two stored runs can't, as a person types it."""
    git, cell = base.run.manifest.git, head.cell
    if head.run.manifest.imported or base.run.manifest.imported:
        return "`harness ab` on the code itself"
    commit = git.get("commit")
    arm_a = f"revision={str(commit)[:12]}" if commit and git.get("dirty") is False else "revision=BASE"
    words = ["harness", "ab", "--suite", head.run.manifest.suite_source, "--model", cell.model]
    precision = f"precision={cell.axes['precision']}" if "precision" in cell.axes else ""
    words += ["--a", ",".join(filter(None, [arm_a, precision])), "--b", precision or "here"]
    words += ["--time", PARTS.get(str(head.record.metric), "decode")]
    for name in ("prompt", "generate", "batch"):
        if (value := cell.settings.get(name)) is not None:
            words += [f"--{name}", str(value)]
    if (threads := cell.axes.get("threads")) is not None:
        words += ["--threads", str(threads)]
    return f"`{shlex.join([*words, '--margin', f'{margin:g}'])}`"


def _largest(known: Sequence[float]) -> float:
    return expm1(max(abs(one) for one in known))


def more_or_less(difference: float) -> str:
    """A difference of logarithms as `8.2 % more`, `3 % less`, or `the same`."""
    share = expm1(difference)
    return f"{100 * abs(share):.3g} % {'more' if share > 0 else 'less'}" if share else "the same"


def _percent(share: float) -> str:
    return f"{100 * share:+.2g} %" if abs(share) < 1 else f"{100 * share:+.0f} %"
