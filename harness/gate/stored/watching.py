"""What two stored runs have and nobody judges: shown with how unusual it is among all of them, and never red."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import expm1, isfinite

from harness.comparison.gate_set import QUALITY, Gated
from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.evidence.selection import Point
from harness.gate.judgment import CACHED, UNDECIDED, Watched
from harness.gate.stored import stored_ledger
from harness.gate.stored.stored_pair import Known, counted, for_the_worse, memory_difference, paired, why_incomparable
from harness.gate.stored.stored_speed import log_time_ratio
from harness.gate.verdict import Verdict
from harness.statistics.exchangeable import chance_of
from harness.statistics.multiplicity import benjamini_hochberg


def watch(points: Iterable[Gated], known: Known) -> list[Watched]:
    """Every metric that both runs have, with its q-value where a test gives one (Benjamini and Hochberg)."""
    found = [_watched(one, one.base, one.head, known) for one in points if one.base and one.head]
    tested = [place for place, one in enumerate(found) if one.p is not None]
    q = benjamini_hochberg([found[place].p for place in tested])  # type: ignore[arg-type]
    for place, value in zip(tested, q, strict=True):
        found[place] = replace(found[place], q=float(value))
    return found


def _watched(one: Gated, base: Point, head: Point, known: Known) -> Watched:
    a, b = base.record.value, head.record.value
    assert a is not None and b is not None
    row = Watched(one.metric, head.record.unit, one.at, a, b, None, None)
    try:
        if (why := why_incomparable(base, head, one.kind)) is not None:
            return replace(row, note=f"not comparable: {why}")
        if head.cell.source != "measured":
            return replace(row, note=CACHED)
        return _tested(row, one, base, head, known)
    except UserError as error:
        return replace(row, note=str(error))


def _tested(row: Watched, one: Gated, base: Point, head: Point, known: Known) -> Watched:
    if one.kind in QUALITY:
        found = paired(base, head, one.margin, known.levels)
        if found.incomparable is not None:
            return replace(row, note=f"not comparable: {found.incomparable}")
        change = for_the_worse(found.change, head.record.direction)
        return replace(row, change=None if change is None else change.value, p=found.p)
    if one.kind is Kind.TIME:
        d = log_time_ratio(base, head)
        if d is None:
            return row
        like = stored_ledger.alike(base, head, known.ledger(stored_ledger.machine_of(base)))
        note = "" if like else UNDECIDED
        return replace(row, change=expm1(d), p=chance_of(d, like) if like else None, note=note)
    if one.kind is Kind.MEMORY:
        between = memory_difference(base.record, head.record)
        change_of = head.record.value / base.record.value - 1 if base.record.value and head.record.value else None
        return replace(row, change=change_of, p=None if between is None else between.chance_above(0.0))
    if one.kind is Kind.COUNT:
        verdict, _, moved = counted(base.record, head.record, 0.0)
        note = "a count that became worse" if verdict is Verdict.FAIL else ""
        return replace(row, change=None if moved is None else moved.value, note=note)
    if row.base != row.head and isfinite(row.base) and isfinite(row.head):
        return replace(row, note="no rule says what is worse")
    return row
