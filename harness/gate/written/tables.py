"""A gate's result as tables, and what is told below them: for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.metric_kind import Kind
from harness.errors import inert
from harness.gate.judgment import CACHED, FALSE_DISCOVERIES, GateResult, Judged, Watched, cell_words, told_apart
from harness.gate.verdict import Verdict
from harness.number import NOTHING, with_interval
from harness.report.table import Column, Row, Table
from harness.results.record import Scalar
from harness.statistics.intervals import Interval

STATES = {
    Verdict.FAIL: "unmet",
    Verdict.USAGE: "failed",
    Verdict.BASELINE_MISSING: "skipped",
    Verdict.NOT_COMPARABLE: "skipped",
    Verdict.INCONCLUSIVE: "undecided",
    Verdict.ACCEPTED: "undecided",
    Verdict.MINOR: "undecided",
    Verdict.PASS: "met",
}
"""Colors of the rows."""
MOST_WATCHED = 12
"""Rows of the watched ones that are shown; JSON and the DataFrame have all."""


def last_line(result: GateResult) -> str:
    """The verdict with its reason, and what a policy makes of it."""
    policy = ""
    if result.verdict is Verdict.INCONCLUSIVE and result.on_inconclusive is not None:
        policy = f" (exit code {int(result.exit_code)}, as `--on-inconclusive {result.on_inconclusive}` says)"
    return f"{result.verdict.word}: {inert(result.reason)}{policy}"


def tables(result: GateResult) -> list[Table]:
    """What was judged, and what of the watched ones stands out."""
    judged = [row for row in result.rows if row.metric is not None]
    found = [_judged_table(result, judged)] if judged else []
    if out := _outstanding(result):
        found.append(_watched_table(result, out))
    return found


def _outstanding(result: GateResult) -> list[Watched]:
    """The watched ones of which there is something to say."""
    told = (one for one in result.watched if one.is_found or (one.note and not one.is_undecided))
    return sorted(told, key=_unusual)


def _judged_table(result: GateResult, rows: Sequence[Judged]) -> Table:
    columns = (
        *map(Column, ("metric", "cell")),
        *(Column(name, numeric=True) for name in ("base", "head", "worse by", "margin")),
        Column("verdict"),
    )
    made = tuple(
        Row(
            (
                f"{row.metric}{' (guard)' if row.role == 'guard' else ''}",
                row.where,
                with_interval(row.base, None, None, row.unit),
                with_interval(row.head, None, None, row.unit),
                change_text(row.change, row.kind),
                margin_text(row.margin, row.kind),
                row.verdict.word,
            ),
            state=STATES[row.verdict],
        )
        for row in rows
    )
    shared = f"alpha {result.alpha:g}, shared among {result.tests}" if result.tests > 1 else f"alpha {result.alpha:g}"
    return Table(f"{result.head} against {result.base}", columns, made, shared)


def _watched_table(result: GateResult, rows: Sequence[Watched]) -> Table:
    apart = told_apart([(row.metric, row.at) for row in result.watched])
    words = {id(row): cell_words(row.at, more) for row, more in zip(result.watched, apart, strict=True)}
    columns = (
        *map(Column, ("metric", "cell")),
        *(Column(name, numeric=True) for name in ("base", "head", "worse by", "q")),
        Column("note"),
    )
    made = tuple(
        Row(
            (
                row.metric,
                words[id(row)],
                with_interval(row.base, None, None, row.unit),
                with_interval(row.head, None, None, row.unit),
                NOTHING if row.change is None else f"{100 * row.change:+.3g} %",
                NOTHING if row.q is None else f"{row.q:.2g}",
                "; ".join(filter(None, ["stands out" if row.is_found else "", row.note])),
            )
        )
        for row in rows[:MOST_WATCHED]
    )
    more = f"; {len(rows) - MOST_WATCHED} more in the JSON" if len(rows) > MOST_WATCHED else ""
    return Table("watched", columns, made, _watched_words(result) + more)


def _watched_words(result: GateResult) -> str:
    """How many are watched, and what is to be said of them all."""
    found = sum(row.is_found for row in result.watched)
    times = sum(row.is_undecided and row.note != CACHED for row in result.watched)
    cached = sum(row.note == CACHED for row in result.watched)
    told = f"{len(result.watched)} metrics that nobody judges: {found} stand out at a false discovery rate of "
    told += f"{FALSE_DISCOVERIES:g}"
    told += f"; of {times} times of stored runs nobody can say" if times else ""
    return told + (f"; {cached} come from the cache" if cached else "")


def change_text(change: Interval | None, kind: Kind) -> str:
    """A change for the worse with its interval: `+3.1 % [+2.2, +4.0]`, or points."""
    if change is None:
        return NOTHING
    word = "points" if kind is Kind.SCORE else "%"
    ends = ""
    if change.low is not None and change.high is not None and change.low != change.high:
        ends = f" [{100 * change.low:+.3g}, {100 * change.high:+.3g}]"
    return f"{100 * change.value:+.3g} {word}{ends}"


def margin_text(margin: float | None, kind: Kind) -> str:
    """`1 %`, `2 points`, or that it has to be equal."""
    if margin is None:
        return NOTHING
    if margin == 0:
        return "equal"
    return f"{100 * margin:g} {'points' if kind is Kind.SCORE else '%'}"


def told_below(result: GateResult) -> list[tuple[str, list[str]]]:
    """By title what is told below the tables: reasons, what changed, notes."""
    reasons = [f"{row.verdict.word} {name_of(row)}: {row.reason}" for row in result.rows if _is_told(row)]
    watched = [] if _outstanding(result) or not result.watched else [_watched_words(result)]
    found = [
        ("Why", reasons),
        ("Watched", watched),
        ("What changed", list(result.changes)),
        ("Notes", list(result.notes)),
    ]
    return [(title, [inert(line) for line in lines]) for title, lines in found if lines]


def _is_told(row: Judged) -> bool:
    return row.verdict is not Verdict.PASS or row.kind is Kind.TIME or row.metric is None


def name_of(row: Judged) -> str:
    """What a row is of: `bits_per_byte (nano, int8)`, or a cell, or the whole run."""
    at: dict[str, Scalar] = row.at
    if row.metric is None:
        return f"{at.get('measure')} ({row.where})" if at else "run"
    return f"{row.metric} ({row.where})"


def _unusual(row: Watched) -> tuple[bool, float]:
    return not row.is_found, 1.0 if row.q is None else row.q
