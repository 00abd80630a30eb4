"""Two runs document by document in the terminal: counts and tests, then what flipped and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.analysis.selection import describe
from harness.report.number import Shown, scale, shown
from harness.report.results import text
from harness.report.table import Column, Row, Table
from harness.report.tables import NO_BREAK, print_table
from harness.results.flip import Difference, Flip, Paired

if TYPE_CHECKING:
    from rich.console import Console

SAYS = 0.05
"""p-values below are coloured, nothing more."""


def print_flips(difference: Difference, console: Console, limit: int) -> None:
    """Print what `gate.flips.flips` gives. limit: documents listed of each pair of cells and task."""
    from rich.text import Text

    print_table(counts_table(difference), console)
    for pair in difference.pairs:
        if pair.flips and limit:
            print_table(flips_table(pair, limit), console)
        elif pair.flips:
            console.print(Text(f"{pair.task}: {len(pair.flips)} flipped; {_causes(pair)}"), soft_wrap=True)


def counts_table(difference: Difference) -> Table:
    """A row per pair of cells and task."""
    pairs = difference.pairs
    names = list(dict.fromkeys(name for pair in pairs for name in pair.at))
    told = any(pair.asked != "same" for pair in pairs)
    columns = [Column(name.replace("_", " ")) for name in (*names, "task", "metric", *(["asked"] if told else []))]
    columns += [Column(name, "%", numeric=True) for name in ("base", "head")]
    columns += [Column("head - base", "points"), Column("paired", numeric=True), Column("both", "right", numeric=True)]
    columns += [Column("only", side, numeric=True) for side in ("base", "head")]
    columns += [Column("neither", numeric=True), Column("p", numeric=True)]
    rows = tuple(_row(pair, names, told) for pair in pairs)
    notes = [
        "head - base: interval for paired shares (Newcombe 1998, method 10), over clusters where documents have them",
        "p: exact test of whether flips go either way by chance (McNemar; clusters flip as a whole)",
    ]
    if told:
        notes.append("asked otherwise: the same question with another prompt; its difference is not the models' alone")
    if len(rows) > 5:
        notes.append(f"of {len(rows)} p-values about {len(rows) * SAYS:.1f} are below {SAYS} by chance")
    title, caption = "documents right in base and head", f"base {difference.base}, head {difference.head}"
    return Table(title, tuple(columns), rows, caption, (*notes, *difference.notes))


def _row(pair: Paired, names: list[str], told: bool) -> Row:
    n = pair.documents
    points = scale([1.0], "fraction")
    lead = [text(pair.at.get(name)) for name in names]
    shares = [Shown(f"{100 * (pair.both + count) / n:.1f}") for count in (pair.only_base, pair.only_head)]
    change = shown(pair.difference.value, pair.difference.low, pair.difference.high, points)
    counts = (n, pair.both, pair.only_base, pair.only_head, pair.neither)
    state = "" if pair.p_value >= SAYS else "better" if pair.only_head > pair.only_base else "worse"
    asked = [pair.asked] if told else []
    numbers = (*(Shown(f"{count:,}") for count in counts), Shown(p_value(pair.p_value)))
    return Row(
        (*lead, pair.task, pair.metric, *asked, *shares, str(change).replace(" ", NO_BREAK), *numbers),
        group=lead[0] if lead else "",
        state=state,
    )


def p_value(value: float) -> str:
    """Three decimals, or as a power of ten where it is small."""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def flips_table(pair: Paired, limit: int) -> Table:
    """The documents that flipped: first those that only the base has right, then the head's."""
    lost = [flip for flip in pair.flips if flip.base_right]
    won = [flip for flip in pair.flips if flip.head_right]
    # both kinds are shown where there is no room for all
    room = max(limit // 2, limit - len(won))
    kept = [*lost[:room], *won[: limit - len(lost[:room])]]
    columns = (Column("document", numeric=True), Column("base"), Column("head"), Column("differs first"), Column("how"))
    notes = [_causes(pair)]
    if len(kept) < len(pair.flips):
        notes.append(f"{len(pair.flips) - len(kept)} more flipped: --limit shows more")
    where = ", ".join(filter(None, (describe(pair.at), pair.metric)))
    asked = "" if pair.asked == "same" else ", asked otherwise"
    return Table(f"{pair.task}: what flipped", columns, tuple(map(_flip_row, kept)), f"{where}{asked}", tuple(notes))


def _causes(pair: Paired) -> str:
    causes = Counter(str(flip.cause) for flip in pair.flips)
    return "what differs first: " + ", ".join(f"{cause} {count}" for cause, count in causes.most_common())


def _flip_row(flip: Flip) -> Row:
    sides = ("right", "wrong") if flip.base_right else ("wrong", "right")
    state = "worse" if flip.base_right else "better"
    return Row((Shown(str(flip.document)), *sides, str(flip.cause), flip.detail), group=state, state=state)
