"""Models that took turns as a table: the ratio of their times, and which of them that shows to be faster."""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence.side_by_side import FASTER, NO_INTERVAL, SLOWER, SideBySide, side_by_side
from harness.evidence.value_text import label, text
from harness.number import NOTHING, Shown, plain, shown
from harness.report.table import Column, Row, Table
from harness.results.record import CellResult

OWN_COLUMNS = ("model", "times", "against")
STATES = {FASTER: "better", SLOWER: "worse"}


def side_by_side_table(cells: Sequence[CellResult], *, all_columns: bool = False) -> Table:
    """A row for each comparison of the cells. all_columns: also settings that all share."""
    found = side_by_side(cells)
    names = [name for name in dict.fromkeys(name for one in found for name in one.at) if name not in OWN_COLUMNS]
    several = {name for name in names if len({repr(one.at.get(name)) for one in found}) > 1} | {"precision"}
    differing = [name for name in names if all_columns or name in several]
    shared = [label(name, found[0].at[name]) for name in names if name not in differing]
    of_same_code = any(one.scatter is not None for one in found)
    columns = [Column("model"), *(Column(name.replace("_", " ")) for name in differing), Column("against")]
    columns += [Column("time"), Column("ratio of times", numeric=True), Column("n", numeric=True), Column("shows")]
    columns += [Column("identical code scatters by", "%", numeric=True)] if of_same_code else []
    hows = dict.fromkeys(one.ratio.interval for one in found if one.ratio is not None and one.ratio.low is not None)
    lacking = dict.fromkeys(one.ratio.interval for one in found if one.shows == NO_INTERVAL and one.ratio is not None)
    failed: dict[str, dict[str, None]] = {}
    for one in found:
        if one.why_not:
            failed.setdefault(one.why_not, {})[one.head] = None
    notes = [
        *(f"interval: {how}" for how in hows),
        *(f"no interval: {(how or '').removeprefix('none: ')}" for how in lacking),
        *(f"{', '.join(which)} against {found[0].base}: {why}" for why, which in failed.items()),
    ]
    caption = ", ".join(["measured turn by turn; a ratio below 1 takes less time", *shared])
    rows = tuple(_row(one, differing, of_same_code) for one in found)
    return Table("side by side", tuple(columns), rows, caption, tuple(notes))


def _row(one: SideBySide, differing: Sequence[str], of_same_code: bool) -> Row:
    lead = [text(one.at.get(name)) for name in ("model", *differing, "against", "times")]
    state = STATES.get(one.shows, "") if one.ratio is not None else "failed"
    if one.ratio is None:
        numbers: list[str | Shown] = [Shown("failed"), Shown(NOTHING), NOTHING]
    else:
        counted = f"{one.ratio.n} {one.ratio.n_unit}"
        numbers = [shown(one.ratio.value, one.ratio.low, one.ratio.high), Shown(counted), one.shows]
    scatter = NOTHING if one.scatter is None else plain(100 * one.scatter)
    return Row((*lead, *numbers, *([Shown(scatter)] if of_same_code else [])), str(one.at["model"]), state)
