"""A table for a terminal of a given width, such that no number is broken over lines.

Words may be folded, numbers may not. A table that is too wide for its numbers becomes several, each with the columns
that name the row; and where not even one column of numbers fits beside those, every row becomes a block of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.errors import inert
from harness.number import Shown
from harness.report.table import Column, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

BETWEEN = 3
"""Characters between two columns."""
EDGES = 2
WORD = 16
"""Longer words may be folded where there is no room."""
STYLES = {
    "failed": "red",
    "skipped": "dim",
    "met": "green",
    "unmet": "bold red",
    "undecided": "yellow",
    "better": "green",
    "worse": "red",
}


def laid_out(table: Table, width: int) -> list[RichTable | Text]:
    """What is printed: the table, or as many as its width takes, or a block of lines for each row."""
    least = [_least(table, place) for place in range(len(table.columns))]
    parts = _parts(table.columns, least, width)
    if parts is None:
        return [_block(table, place) for place in range(len(table.rows))]
    return [_rich(table, part, _widths(table, part, least, width)) for part in parts]


def cell_text(cell: str | Shown) -> Text:
    """A cell as text: a number with its spread."""
    from rich.text import Text

    if isinstance(cell, str):
        return Text(inert(cell))
    return Text.assemble(cell.value, (f" {cell.spread:>5}", "dim")) if cell.spread else Text(cell.value)


def _parts(columns: Sequence[Column], least: Sequence[int], width: int) -> list[list[int]] | None:
    """Places of the columns of each table; None where one column doesn't fit beside those that name the row."""
    everything = list(range(len(columns)))
    if _needs(everything, least) <= width:
        return [everything]
    first_number = next((place for place in everything if columns[place].numeric), len(columns))
    names, others = everything[:first_number], everything[first_number:]
    if not others:
        return None
    parts = [[*names]]
    for place in others:
        if _needs([*names, place], least) > width:
            return None
        if _needs([*parts[-1], place], least) > width:
            parts.append([*names])
        parts[-1].append(place)
    return parts


def _needs(part: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[place] for place in part) + BETWEEN * (len(part) - 1) + EDGES


def _widths(table: Table, part: Sequence[int], least: Sequence[int], width: int) -> dict[int, int]:
    """The width of each column: at least what it needs; what is left goes to those that want little first."""
    left = width - _needs(part, least)
    given = {place: least[place] for place in part}
    wanted = {place: _natural(table, place) - least[place] for place in part}
    for place in sorted(part, key=lambda place: wanted[place]):
        more = max(0, min(wanted[place], left))
        given[place] += more
        left -= more
    return given


def _natural(table: Table, place: int) -> int:
    """The width at which nothing is folded."""
    column = table.columns[place]
    lines = [column.name, column.unit, *(line for cell in _cells(table, place) for line in cell.split("\n"))]
    return max(map(_length, lines))


def _least(table: Table, place: int) -> int:
    """The width at which words of the header are whole, numbers are, and words of usual length."""
    column = table.columns[place]
    header = max((_length(word) for word in (*column.name.split(), *column.unit.split())), default=1)
    if column.numeric:
        return max([header, *map(_length, _cells(table, place))])
    words = (_length(word) for cell in _cells(table, place) for word in cell.split())
    return max([header, *(min(length, WORD) for length in words)])


def _cells(table: Table, place: int) -> Iterator[str]:
    return (cell_text(row.cells[place]).plain for row in table.rows)


def _length(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _rich(table: Table, part: Sequence[int], widths: dict[int, int]) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for place in part:
        column = table.columns[place]
        header = Text.assemble(column.name, ("\n" + column.unit if column.unit else "", "dim"))
        justify = "right" if column.numeric else "left"
        drawn.add_column(header, justify=justify, overflow="fold", width=widths[place])  # type: ignore[arg-type]
    for row, following in zip(table.rows, [*table.rows[1:], None], strict=False):
        ends_group = following is not None and following.group != row.group
        cells = [cell_text(row.cells[place]) for place in part]
        drawn.add_row(*cells, style=STYLES.get(row.state, ""), end_section=ends_group)
    return drawn


def _block(table: Table, place: int) -> Text:
    """A row as lines `column (unit): value`."""
    from rich.text import Text

    row = table.rows[place]
    lines = [
        Text.assemble((f"{column.header}: " if column.header else "", "dim"), cell_text(cell))
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    return Text("\n").join([*lines, Text("")]) if lines else Text("")
