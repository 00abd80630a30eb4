"""A gate's result as tables: in the terminal, as Markdown for the summary of a CI job or a comment, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.comparison.metric_kind import Kind
from harness.errors import inert
from harness.gate.judgment import CACHED, FALSE_DISCOVERIES, GateResult, Judged, Watched, cell_words
from harness.gate.verdict import Verdict
from harness.number import NOTHING, with_interval
from harness.report.markdown import table_markdown
from harness.report.table import Column, Row, Table
from harness.results.record import Scalar
from harness.statistics.intervals import Interval

if TYPE_CHECKING:
    from rich.console import Console

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


def print_gate(result: GateResult, console: Console) -> None:
    """All of it, the verdict last."""
    from harness.report.tables import print_table

    for table in tables(result):
        print_table(table, console)
    for title, lines in _lists(result):
        console.print(f"\n{title}")
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
    console.print(f"\n{last_line(result)}", soft_wrap=True)


def markdown_of(result: GateResult) -> str:
    """All of it as GitHub's Markdown, the verdict first: a job's summary is read from the top."""
    word, _, reason = last_line(result).partition(": ")
    parts = [f"## Gate: {word}", _escaped(reason)]
    parts += ["\n".join(table_markdown(table).replace("## ", "### ", 1).splitlines()) for table in tables(result)]
    for title, lines in _lists(result):
        parts.append("\n".join([f"### {title}", "", *(f"* {_escaped(line)}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


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


def as_json(result: GateResult) -> dict[str, Any]:
    """Everything, as plain data."""
    return {
        "verdict": result.verdict.value,
        "exit_code": int(result.exit_code),
        "reason": result.reason,
        "base": result.base,
        "head": result.head,
        "alpha": result.alpha,
        "pass_alpha": result.pass_alpha,
        "tests": result.tests,
        "on_inconclusive": result.on_inconclusive,
        "judged": [_judged_json(row) for row in result.rows],
        "watched": [
            {
                **{"metric": row.metric, "unit": row.unit, "at": row.at, "base": row.base, "head": row.head},
                **{"change": row.change, "p": row.p, "q": row.q, "stands_out": row.is_found, "note": row.note},
            }
            for row in result.watched
        ],
        "changes": list(result.changes),
        "notes": list(result.notes),
    }


def _judged_json(row: Judged) -> dict[str, Any]:
    change = None if row.change is None else row.change._asdict()
    return {
        **{"verdict": row.verdict.value, "reason": row.reason, "role": row.role, "metric": row.metric},
        **{"unit": row.unit, "kind": row.kind.value, "at": row.at, "base": row.base, "head": row.head},
        **{"margin": row.margin, "worse_by": change, "smallest_seen": row.seen, "p": row.p, "details": row.details},
    }


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
    columns = (
        *map(Column, ("metric", "cell")),
        *(Column(name, numeric=True) for name in ("base", "head", "worse by", "q")),
        Column("note"),
    )
    made = tuple(
        Row(
            (
                row.metric,
                cell_words(row.at),
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


def _lists(result: GateResult) -> list[tuple[str, list[str]]]:
    """What is told below the tables: reasons, what changed, notes."""
    reasons = [f"{row.verdict.word} {_name(row)}: {row.reason}" for row in result.rows if _is_told(row)]
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


def _name(row: Judged) -> str:
    at: dict[str, Scalar] = row.at
    if row.metric is None:
        return f"{at.get('measure')} ({row.where})" if at else "run"
    return f"{row.metric} ({row.where})"


def _unusual(row: Watched) -> tuple[bool, float]:
    return not row.is_found, 1.0 if row.q is None else row.q


def _escaped(text: str) -> str:
    """Text that Markdown leaves as it is, but for commands in backticks."""
    parts = " ".join(inert(text).split()).split("`")
    if len(parts) % 2 == 0:  # one backtick is no command
        parts = ["\\`".join(parts)]
    for character in "*_[]<>|":
        written = "&lt;" if character == "<" else f"\\{character}"
        parts[::2] = [part.replace(character, written) for part in parts[::2]]
    return "`".join(parts)
