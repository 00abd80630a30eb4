"""The verdict on one metric of one cell in two stored runs, by the kind of the metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, inf, isfinite, log1p
from typing import TYPE_CHECKING, Any

from harness.comparison.comparability import why_not_comparable
from harness.comparison.definition import why_edited
from harness.comparison.gate_set import QUALITY, Gated
from harness.comparison.metric_kind import DEFAULT_MARGINS, Kind
from harness.errors import UserError
from harness.evidence.definition import why_other_definition
from harness.evidence.selection import ENDED, Point
from harness.gate.judgment import Judged, Role
from harness.gate.stored import stored_ledger
from harness.gate.stored.stored_ledger import StoredPair
from harness.gate.stored.stored_speed import judge_stored_speed, more_or_less
from harness.gate.verdict import Verdict
from harness.results.record import CellResult, Direction, Record, Status
from harness.statistics.intervals import Interval
from harness.statistics.two_intervals import Difference, Launches, log_difference

if TYPE_CHECKING:
    from harness.comparison.paired_quality import PairedQuality

MEASURE_AGAIN = "measure it again with --fresh or --no-cache"


@dataclass(frozen=True)
class Levels:
    """Chances of errors, as each single test has them."""

    alpha: float
    """Of a false FAIL: that of the command shared among its tests."""
    pass_alpha: float
    """Of a PASS where it is worse by the margin or more."""


@dataclass(frozen=True)
class Known:
    """What a verdict needs beside the two records."""

    levels: Levels
    ledger: Callable[[str], list[StoredPair]]
    """By machine class."""
    why_lost: str | None
    """Why the head may lack a cell through no fault of the code: its folder is damaged, or it did not finish."""


def judge_pair(gated: Gated, known: Known) -> Judged | str:
    """The verdict; a text where the base has nothing to compare with, which is told and judged by nobody."""
    pair = gated.pair
    role: Role = "guard" if gated.is_guard else "gate"
    name = f"{gated.metric} ({', '.join(map(str, (pair.cell.model, *pair.cell.axes.values())))})"
    if gated.base is None:
        if pair.base is None and pair.changed:
            return _row(gated, role, Verdict.NOT_COMPARABLE, pair.why_alone)
        if pair.base is not None and pair.base.status is not Status.OK:
            return f"{name} has no baseline: in the base its cell {ENDED[pair.base.status]}"
        return f"{name} has no baseline: the base lacks it"
    if gated.head is None:
        return _row(gated, role, *_why_lost(gated, known))
    try:
        if (why := why_incomparable(gated.base, gated.head, gated.kind)) is not None:
            return _row(gated, role, Verdict.NOT_COMPARABLE, why)
        if gated.head.cell.source != "measured":
            why = f"the run did not measure it, but took it from the cache, which proves nothing: {MEASURE_AGAIN}"
            return _row(gated, role, Verdict.INCONCLUSIVE, why)
        return judge_measured(gated, gated.base, gated.head, known)
    except UserError as error:
        return _row(gated, role, Verdict.USAGE, str(error))


def broken_cell(base: CellResult, head: CellResult | None, why_alone: str, known: Known) -> tuple[Verdict, str] | None:
    """What is said of a cell that ended well in the base and in the head not as well; None where nothing is."""
    if base.status is not Status.OK:
        return None
    if head is None:
        return _missing(why_alone, known)
    if head.status is not Status.OK:
        return Verdict.FAIL, _ended(head)
    if base.whole and not head.whole:
        lost = next(one for one in head.missing if one.status is Status.FAILED)
        part = f" ({lost.part})" if lost.part else ""
        return Verdict.FAIL, f"a part of it{part} was fine in the base and failed: {lost.reason}"
    return None


def _row(
    gated: Gated,
    role: Role,
    verdict: Verdict,
    reason: str,
    change: Interval | None = None,
    seen: float | None = None,
    p: float | None = None,
    details: dict[str, Any] | None = None,
) -> Judged:
    record = (gated.head or gated.base or _nothing()).record
    return Judged(
        verdict=verdict,
        reason=reason,
        at=gated.at,
        role=role,
        metric=gated.metric,
        unit=record.unit,
        kind=gated.kind,
        base=None if gated.base is None else gated.base.record.value,
        head=None if gated.head is None else gated.head.record.value,
        margin=gated.margin,
        change=change,
        seen=seen,
        p=p,
        details=details or {},
    )


def _nothing() -> Point:
    raise AssertionError("a metric is in one of the runs at least")


def _why_lost(gated: Gated, known: Known) -> tuple[Verdict, str]:
    """What is said of a metric that the base has and the head lacks."""
    head = gated.pair.head
    if head is None:
        if gated.pair.changed:
            return Verdict.NOT_COMPARABLE, gated.pair.why_alone
        return _missing(gated.pair.why_alone, known)
    if head.status is not Status.OK:
        return Verdict.FAIL, _ended(head)
    reasons = [one.reason for one in head.missing if one.part == gated.part and one.reason] or [
        one.reason for one in head.missing if one.reason
    ]
    why = f": {reasons[0]}" if reasons else ""
    return Verdict.FAIL, f"the base has {gated.metric} and the head has none{why}"


def _missing(why_alone: str, known: Known) -> tuple[Verdict, str]:
    if known.why_lost is not None:
        return Verdict.USAGE, f"the head has no such cell, and it is not whole: {known.why_lost}"
    return Verdict.FAIL, (
        f"{why_alone}, where it was fine: measure it in the head too, or make a new baseline without it"
    )


def _ended(head: CellResult) -> str:
    return f"the cell was fine in the base and {ENDED[head.status]}: {head.reason or 'no reason given'}"


def why_incomparable(base: Point, head: Point, kind: Kind) -> str | None:
    """The type check. Of quality the texts are compared where its documents are paired: of other prompts, another
    tokenizer or another template it is the model that is judged; an edited text or task is another definition."""
    edited = why_edited(base.cell, head.cell)
    if kind not in QUALITY:
        return why_not_comparable(base, head) or edited
    if base.record.metric_id != head.record.metric_id or base.record.unit != head.record.unit:
        return why_not_comparable(base, head)
    return why_other_definition(base.cell, head.cell) or edited


def judge_measured(gated: Gated, base: Point, head: Point, known: Known) -> Judged:
    """The verdict on two values that may be compared, wherever they come from. Raises UserError for damaged samples."""
    role: Role = "guard" if gated.is_guard else "gate"
    levels = known.levels
    if gated.kind in QUALITY:
        return _quality(gated, base, head, role, levels)
    if gated.kind is Kind.TIME:
        kept = known.ledger(stored_ledger.machine_of(base))
        like = stored_ledger.alike(base, head, kept)
        speed = judge_stored_speed(base, head, gated.margin, like, alpha=levels.alpha, pass_alpha=levels.pass_alpha)
        return _row(gated, role, speed.verdict, speed.sentence, speed.change, speed.seen, speed.p)
    if gated.kind is Kind.MEMORY:
        return _memory(gated, base.record, head.record, role, levels)
    if gated.kind is Kind.COUNT:
        return _row(gated, role, *counted(base.record, head.record, gated.margin))
    why = f"nothing decides whether {gated.metric} became worse: it can only be watched"
    return _row(gated, role, Verdict.USAGE, why)


def _quality(gated: Gated, base: Point, head: Point, role: Role, levels: Levels) -> Judged:
    same_bits = gated.bitwise or gated.margin == 0
    margin = gated.margin or DEFAULT_MARGINS[gated.kind]
    found = paired(base, head, margin, levels, bitwise=same_bits, kl_margin=gated.kl_margin)
    if found.incomparable is not None:
        return _row(gated, role, Verdict.NOT_COMPARABLE, found.sentence)
    change = for_the_worse(found.change, head.record.direction)
    verdict = Verdict(found.decision.value)
    return _row(gated, role, verdict, found.sentence, change, found.smallest_seen, found.p, found.details)


def paired(
    base: Point,
    head: Point,
    margin: float,
    levels: Levels,
    *,
    bitwise: bool = False,
    kl_margin: float | None = None,
) -> PairedQuality:
    """A metric of quality judged document by document; all as in `judge_quality`. Raises UserError for damaged
    samples."""
    from harness.comparison.paired_quality import judge_quality

    return judge_quality(
        base,
        head,
        margin,
        alpha=levels.alpha,
        pass_alpha=levels.pass_alpha,
        bitwise=bitwise,
        kl_margin=kl_margin,
    )


def for_the_worse(change: Interval, direction: Direction) -> Interval | None:
    """A change, head less base, as a change for the worse; None where it is no number."""
    if not isfinite(change.value):
        return None
    if direction is not Direction.HIGHER:
        return change
    low, high = (None if end is None else 0.0 - end for end in (change.high, change.low))
    return Interval(0.0 - change.value, low, high, change.n)


def counted(base: Record, head: Record, margin: float) -> tuple[Verdict, str, Interval | None]:
    """The verdict on what is counted: equal, better, or worse by more than the margin. Where neither more nor less is
    better, both are worse."""
    a, b = base.value, head.value
    if a is None or b is None:
        return Verdict.USAGE, "a count without a value", None
    if a == b:
        return Verdict.PASS, f"equal: {b:,.10g}", Interval(0.0, 0.0, 0.0, 1)
    share = (b - a) / abs(a) if a else inf * (1 if b > a else -1)
    worse = {Direction.NONE: abs(share), Direction.HIGHER: -share, Direction.LOWER: share}[head.direction]
    change = Interval(worse, worse, worse, 1) if isfinite(worse) else None
    told = f"{a:,.10g} became {b:,.10g}" + (f" ({100 * share:+.3g} %)" if isfinite(share) else "")
    if worse > margin:
        allowed = f"more than the {100 * margin:g} % that are allowed" if margin else "and a count has to be equal"
        return Verdict.FAIL, f"{told}, {allowed}", change
    return Verdict.PASS, f"{told}, which is {'better' if worse < 0 else 'within the margin'}", change


def memory_difference(base: Record, head: Record) -> Difference | None:
    """How far two measured memories lie apart; None where one has no interval over launches."""
    sides: list[Launches] = []
    for record in (base, head):
        known = record.value, record.low, record.high, record.n
        if None in known or record.n_unit != "launches" or (record.n or 0) < 2 or (record.low or 0) <= 0:
            return None
        sides.append(Launches(record.value or 0, record.low or 0, record.high or 0, record.n or 0))
    return log_difference(sides[0], sides[1])


def _memory(gated: Gated, base: Record, head: Record, role: Role, levels: Levels) -> Judged:
    """Bytes that were measured: Welch's test on the launches of both runs."""
    found = memory_difference(base, head)
    limit = f"{100 * gated.margin:g} %"
    if found is None:
        n = base.n if base.n_unit == "launches" else 1, head.n if head.n_unit == "launches" else 1
        why = f"runs of {n[0]} and {n[1]} launches have no interval: give the measure `launches: 3` or more"
        return _row(gated, role, Verdict.INCONCLUSIVE, why)
    half = exp(1.96 * found.error)
    ratio = exp(found.value)
    change = Interval(ratio - 1, ratio / half - 1, ratio * half - 1, min(base.n or 0, head.n or 0))
    p = found.chance_above(0.0)
    told = f"it takes {more_or_less(found.value)} memory"
    is_worse, seen = p <= levels.alpha, expm1(found.smallest_seen(levels.alpha))
    if is_worse and found.value >= log1p(gated.margin):
        return _row(gated, role, Verdict.FAIL, f"{told} (margin {limit})", change, seen, p)
    if found.chance_below(log1p(gated.margin)) <= levels.pass_alpha:
        verdict = Verdict.MINOR if is_worse and found.value > 0 else Verdict.PASS
        return _row(gated, role, verdict, f"{told}, not {limit} or more", change, seen, p)
    why = (
        f"{told}, and launches scatter too much to tell that from {limit}: {100 * seen:.2g} % would have been seen; "
        "more `launches` decide it"
    )
    return _row(gated, role, Verdict.INCONCLUSIVE, why, change, seen, p)
