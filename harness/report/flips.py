"""Two runs document by document in the terminal: counts and tests, then what flipped and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.comparison.flip import Difference, Flip, Paired
from harness.evidence.selection import describe
from harness.evidence.value_text import text
from harness.number import NOTHING, Shown, scale, shown
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

SAYS = 0.05
"""p-values below are colored, nothing more."""


def print_flips(difference: Difference, console: Console, limit: int) -> None:
    """Print what `gate.flips.flips` gives. limit: documents listed of each pair of cells and task."""
    from rich.text import Text

    for table in difference_tables(difference, limit):
        print_table(table, console)
    for pair in difference.pairs:
        if pair.flips and not limit:
            console.print(Text(f"{pair.task}: {len(pair.flips)} flipped; {_causes(pair)}"), soft_wrap=True)


def difference_tables(difference: Difference, limit: int) -> list[Table]:
    """The counts, then of each pair of cells and task what flipped: `limit` documents at most."""
    listed = [flips_table(pair, limit) for pair in difference.pairs if pair.flips and limit]
    return [counts_table(difference), *listed]


def counts_table(difference: Difference) -> Table:
    """A row per pair of cells and task. What all rows share goes into the caption."""
    leads = [_lead(pair) for pair in difference.pairs]
    names = list(dict.fromkeys(name for lead in leads for name in lead))
    differing = [name for name in names if name == "task" or len({lead.get(name) for lead in leads}) > 1]
    shared = [f"{name} {leads[0][name]}" for name in names if name not in differing and leads[0][name] != "same"]
    columns = [Column(name) for name in differing]
    columns += [Column(name, "%", numeric=True) for name in ("base", "head")]
    columns += [
        Column("head - base", "points", numeric=True),
        Column("right", "both/base/head/none"),
        Column("p", numeric=True),
    ]
    rows = tuple(
        _row(pair, [lead.get(name, NOTHING) for name in differing])
        for pair, lead in zip(difference.pairs, leads, strict=True)
    )
    notes = [
        "right: documents that both have right, only the base, only the head, neither",
        "head - base: interval for paired shares (Newcombe 1998, method 10), over clusters where documents have them",
        "p: exact test of whether flips go either way by chance (McNemar; clusters flip as a whole)",
    ]
    if any(pair.asked != "same" for pair in difference.pairs):
        notes.append("asked otherwise: the same question with another prompt; its difference is not the models' alone")
    if len(rows) > 5:
        notes.append(f"of {len(rows)} p-values about {len(rows) * SAYS:.1f} are below {SAYS} by chance")
    caption = ", ".join((f"base {difference.base}, head {difference.head}", *shared))
    return Table("documents right in base and head", tuple(columns), rows, caption, (*notes, *difference.notes))


def _lead(pair: Paired) -> dict[str, str]:
    """What says which row it is."""
    at = {name.replace("_", " "): text(value) for name, value in pair.at.items()}
    return at | {"task": pair.task, "metric": pair.metric, "asked": pair.asked}


def _row(pair: Paired, lead: list[str]) -> Row:
    shares = [Shown(f"{100 * (pair.both + one) / pair.documents:.1f}") for one in (pair.only_base, pair.only_head)]
    change = shown(pair.difference.value, pair.difference.low, pair.difference.high, scale([1.0], "fraction"))
    counts = "/".join(f"{count:,}" for count in (pair.both, pair.only_base, pair.only_head, pair.neither))
    state = "" if pair.p_value >= SAYS else "better" if pair.only_head > pair.only_base else "worse"
    group = lead[0] if len(lead) > 1 else ""
    return Row((*lead, *shares, str(change), counts, Shown(p_value(pair.p_value))), group=group, state=state)


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
