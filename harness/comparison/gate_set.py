"""The gate set: which metrics of which cells of two runs are judged, with their margins, and the quality that guards
each speed.

A suite's `gate:` says it. Without one, quality and counts of the runs are taken, one of each model and measure first,
ten at most; speed, which two stored runs can hardly decide, only where there is nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.comparison.definition import CellPair, definition_hash, definition_of
from harness.comparison.gate_entry import MOST_PAIRS, GateEntry, Guard
from harness.comparison.metric_kind import DEFAULT_MARGINS, Kind, kind_of
from harness.errors import UserError
from harness.evidence.selection import Point, Where, describe, listed, selects_row, why_no_row
from harness.measures.registry import declared
from harness.results.record import CellResult, Record, Scalar, Status
from harness.results.run import Run
from harness.spelling import nearest

QUALITY = (Kind.LOSS, Kind.SCORE)
Identity = tuple[str, str | None, str]
"""Metric, part, and the cell's definition."""


@dataclass(frozen=True)
class Gated:
    """One metric of one cell, in both runs or in one."""

    metric: str
    part: str | None
    pair: CellPair
    base: Point | None
    head: Point | None
    kind: Kind
    margin: float
    bitwise: bool = False
    kl_margin: float | None = None
    """Of a probe, in nats per token."""
    is_guard: bool = False
    guards: tuple[int, ...] = ()
    """Places in the set of the quality that this speed counts with."""

    @property
    def at(self) -> dict[str, Scalar]:
        """Where it lies: model, axes, measure, settings and part."""
        at = definition_of(self.pair.cell)
        return at if self.part is None else at | {"part": self.part}

    @property
    def identity(self) -> Identity:
        """Equal for the same metric of the same pair of cells."""
        return self.metric, self.part, definition_hash(self.pair.cell)


@dataclass(frozen=True)
class GateSet:
    """What is judged, and what is said of how it was chosen."""

    members: tuple[Gated, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Entries that mean nothing in these runs, a sentence each."""


def declared_set(
    entries: Sequence[GateEntry], pairs: Sequence[CellPair], base: Run, head: Run, guards: Sequence[Gated] = ()
) -> GateSet:
    """What a suite's `gate:` means in two runs. guards: quality that speeds count with which are measured elsewhere.
    Raises UserError where it means more than ten metrics of cells."""
    members: dict[Identity, Gated] = {}
    wanted: dict[Identity, list[Guard]] = {}
    problems: list[str] = []
    for number, entry in enumerate(entries):
        where = dict(entry.where) | ({} if entry.measure is None else {"measure": entry.measure})
        found = list(meant(entry.metric, where, pairs, base, head))
        if not found:
            problems.append(f"gate.{number}: {_why_nothing(entry.metric, where, pairs)}")
        for one in found:
            margin = one.margin if entry.margin is None else entry.margin
            asked = replace(one, margin=margin, bitwise=entry.bitwise, kl_margin=entry.kl_margin)
            members.setdefault(one.identity, asked)
            wanted.setdefault(one.identity, []).extend(entry.guards)
    if len(members) > MOST_PAIRS:
        raise UserError(
            f"its entries match {len(members)} metrics of cells in these runs, and {MOST_PAIRS} is the most; narrow "
            "`where` (all others are watched)",
            place="gate",
        )
    for one in guards:
        members.setdefault(one.identity, replace(one, is_guard=True))
    notes: list[str] = []
    return _guarded(members, wanted, pairs, (base, head), notes, problems)


def sensible_set(pairs: Sequence[CellPair], base: Run, head: Run) -> GateSet:
    """What is judged where a suite has no `gate:`."""
    found: list[Gated] = []
    for pair in pairs:
        if (best := quality_of(pair, base, head)) is not None:
            found.append(best)
    for pair in pairs:
        found.extend(one for one in _points(pair, base, head) if one.kind is Kind.COUNT and _is_weighed(one))
    speeds = [] if found else list(_speeds(pairs, base, head))
    found = found or speeds
    seen: Counter[tuple[str, str, str]] = Counter()
    ranked = []
    for place, one in enumerate(found):
        group = one.metric, one.pair.cell.model, one.pair.cell.measure
        ranked.append((seen[group], place))
        seen[group] += 1
    chosen = [found[place] for place in sorted(place for _, place in sorted(ranked)[:MOST_PAIRS])]
    names = ", ".join(dict.fromkeys(f"{one.metric} of {one.pair.cell.measure}" for one in chosen))
    of = f"{len(chosen)} of {len(found)}" if len(found) > len(chosen) else f"{len(chosen)}"
    said = (
        f"there is no `gate:` and nothing but times, so {of} of them are judged ({names}), which two stored runs can "
        "hardly decide: `harness ab` does"
        if speeds
        else f"the suite has no `gate:`, so {of} metrics of quality and counts are judged "
        f"({names or 'there are none'}), one of each model and measure first, and no speed: `harness ab` decides that"
    )
    return GateSet(tuple(chosen), (said,))


def _speeds(pairs: Sequence[CellPair], base: Run, head: Run) -> Iterator[Gated]:
    """Of every cell that both runs have the time that its measure shows first: of runs without anything else."""
    for pair in pairs:
        both = [one for one in _points(pair, base, head) if one.kind is Kind.TIME and one.base and one.head]
        if both:
            yield min(both, key=_rank)


def quality_of(pair: CellPair, base: Run, head: Run) -> Gated | None:
    """The metric that says best whether a cell is as good as it was: one that its measure shows first, that any
    tokenizer leaves as it is; None of a cell without quality."""
    able = [one for one in _points(pair, base, head) if one.kind in QUALITY]
    whole = [one for one in able if one.part is None] or able
    return min(whole, key=_rank, default=None)


def all_points(pairs: Sequence[CellPair], base: Run, head: Run) -> Iterator[Gated]:
    """Every metric of every cell of either run."""
    for pair in pairs:
        yield from _points(pair, base, head)


def _guarded(
    members: dict[Identity, Gated],
    wanted: dict[Identity, list[Guard]],
    pairs: Sequence[CellPair],
    runs: tuple[Run, Run],
    notes: list[str],
    problems: list[str],
) -> GateSet:
    """The set with the guards of its speeds, those that are no members yet behind the members."""
    order = list(members)
    together = dict(members)
    for identity in order:
        speed = members[identity]
        if speed.kind is not Kind.TIME:
            continue
        where = describe({"model": speed.pair.cell.model, **speed.pair.cell.axes})
        near = _same_model_and_axes(speed.pair, pairs)
        guards: list[Gated] = []
        for guard in wanted.get(identity, ()):
            found = list(meant(guard.metric, guard.where, near, *runs))
            if not found:
                problems.append(f"gate: {speed.metric} is guarded by {guard.metric}, and no such cell has {where}")
            guards += [one if guard.margin is None else replace(one, margin=guard.margin) for one in found]
        if not wanted.get(identity):
            guards = [one for pair in near if (one := quality_of(pair, *runs)) is not None]
            names = ", ".join(dict.fromkeys(one.metric for one in guards))
            notes.append(
                f"{speed.metric} ({where}) names no `guarded_by`: it counts with {names} of the same model and axes"
                if guards
                else f"{speed.metric} ({where}) is guarded by no quality, so a faster model may be a worse one: "
                "measure one of the same model and axes, and name it in `guarded_by`"
            )
        for one in guards:
            together.setdefault(one.identity, replace(one, is_guard=True))
        places = list(together)
        together[identity] = replace(
            together[identity], guards=tuple(dict.fromkeys(places.index(one.identity) for one in guards))
        )
    return GateSet(tuple(together.values()), tuple(dict.fromkeys(notes)), tuple(problems))


def _same_model_and_axes(speed: CellPair, pairs: Sequence[CellPair]) -> list[CellPair]:
    """Cells of other measures; those with other threads only where there are none with the same."""
    cell = speed.cell

    def alike(other: CellResult, *without: str) -> bool:
        mine, theirs = (
            {name: value for name, value in one.axes.items() if name not in without} for one in (cell, other)
        )
        return other.model == cell.model and other.measure != cell.measure and mine == theirs

    return [pair for pair in pairs if alike(pair.cell)] or [pair for pair in pairs if alike(pair.cell, "threads")]


def meant(metric: str, where: Where, pairs: Sequence[CellPair], base: Run, head: Run) -> Iterator[Gated]:
    """The metric in the cells that `where` means: of the parts that it names, else what stands for the whole cell, else
    every part."""
    names = (metric, metric.partition("@")[0])  # `bits_per_byte@2`, but `pass@1` is a name
    at = {key: value for key, value in where.items() if key != "part"}
    for pair in pairs:
        if not selects_row(at, definition_of(pair.cell)):
            continue
        mine = [one for one in _points(pair, base, head) if one.metric in names]
        if "part" in where:
            yield from (one for one in mine if one.part in listed(where["part"]))
        else:
            yield from [one for one in mine if one.part is None] or mine


def _points(pair: CellPair, base: Run, head: Run) -> Iterator[Gated]:
    """Every metric of a pair of cells, each part by itself, in the base's order."""
    mine, theirs = _records(pair.base), _records(pair.head)
    for key in dict.fromkeys([*mine, *theirs]):
        a, b = mine.get(key), theirs.get(key)
        record = b or a
        assert record is not None
        kind = kind_of(record)
        yield Gated(
            metric=key[0],
            part=key[1],
            pair=pair,
            base=Point(base, pair.base, a) if pair.base is not None and a is not None else None,
            head=Point(head, pair.head, b) if pair.head is not None and b is not None else None,
            kind=kind,
            margin=DEFAULT_MARGINS.get(kind, 0.0),
        )


def _records(cell: CellResult | None) -> dict[tuple[str, str | None], Record]:
    if cell is None or cell.status is not Status.OK:
        return {}
    return {(one.metric, one.part): one for one in cell.records if one.metric and one.value is not None}


def _rank(one: Gated) -> tuple[bool, bool, bool]:
    point = one.head or one.base
    metric = None if point is None else declared(point.record)
    if metric is None:
        return True, True, True
    return not (metric.headline or metric.right_or_wrong), metric.per_token, metric.detail


def _is_weighed(one: Gated) -> bool:
    """Whether a count is what one weighs when a model is made smaller or faster."""
    point = one.head or one.base
    metric = None if point is None else declared(point.record)
    return metric is not None and metric.tradeoff


def _why_nothing(metric: str, where: Where, pairs: Sequence[CellPair]) -> str:
    names = (metric, metric.partition("@")[0])
    having = [pair for pair in pairs if any(key in names for key, _ in (*_records(pair.base), *_records(pair.head)))]
    if not having:
        known = dict.fromkeys(key for pair in pairs for side in (pair.base, pair.head) for key, _ in _records(side))
        return f"no cell of either run has {metric}{nearest(metric, known)}"
    rows = [definition_of(pair.cell) for pair in having]
    if "part" in where:
        rows = [{**row, "part": part} for row, pair in zip(rows, having, strict=True) for part in _parts(pair, names)]
    return f"{metric}: {why_no_row(where, rows)}"


def _parts(pair: CellPair, metrics: tuple[str, ...]) -> list[str | None]:
    return [part for name, part in {**_records(pair.base), **_records(pair.head)} if name in metrics]
