"""A table for a terminal of a given width, such that no number is broken over lines.

Words may be folded, numbers may not. Columns of words share what room there is such that the tallest row is as low as
can be. A table that is too wide for its numbers becomes several, each with the columns that name the row; and where not
even one column of numbers fits beside those, or folded words would take more lines than that, every row becomes a block
of lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
NAME = 40
"""The same of the first column, whose words are copied, where there is room for it."""
TALLEST = 12
"""Lines of a row up to which columns are fitted to each other."""
LONGEST = 50
"""Cells of a column that are looked at for that: its longest ones."""
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
    folded = [_least(table, place, WORD) for place in range(len(table.columns))]
    whole = [_least(table, place, WORD if place else NAME) for place in range(len(table.columns))]
    for least in (whole, folded):
        parts = _parts(table.columns, least, width)
        if parts is not None:
            break
    blocks = [_block(table, place) for place in range(len(table.rows))]
    if parts is None:
        return [*blocks]
    widths = [_widths(table, part, least, width) for part in parts]
    if _lines(table, widths) > sum(_height(line, width) for block in blocks for line in block.plain.split("\n")):
        return [*blocks]
    return [_rich(table, part, chosen) for part, chosen in zip(parts, widths, strict=True)]


def width_of_one(table: Table) -> int:
    """The least width at which it is one table."""
    places = range(len(table.columns))
    return _needs(places, [_least(table, place, WORD if place else NAME) for place in places])


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


def _needs(part: Collection[int], widths: Sequence[int]) -> int:
    return sum(widths[place] for place in part) + BETWEEN * (len(part) - 1) + EDGES


def _widths(table: Table, part: Sequence[int], least: Sequence[int], width: int) -> dict[int, int]:
    """The width of each column: what keeps the tallest row low; what is left goes to those that want little first."""
    given = {place: least[place] for place in part}
    for tallest in range(1, TALLEST):
        fitting = {place: _fitting(table, place, least[place], tallest) for place in part}
        if _needs([*part], [fitting.get(place, 0) for place in range(len(table.columns))]) <= width:
            given = fitting
            break
    left = width - sum(given.values()) - BETWEEN * (len(part) - 1) - EDGES
    wanted = {place: _natural(table, place) - given[place] for place in part}
    for place in sorted(part, key=lambda place: wanted[place]):
        more = max(0, min(wanted[place], left))
        given[place] += more
        left -= more
    return given


def _fitting(table: Table, place: int, least: int, tallest: int) -> int:
    """The least width at which no cell takes more than `tallest` lines."""
    natural = _natural(table, place)
    if tallest == 1 or table.columns[place].numeric:
        return max(least, natural)
    cells = sorted(set(_cells(table, place)), key=len)[-LONGEST:]
    low, high = least, max(least, natural)
    while low < high:
        middle = (low + high) // 2
        if any(_height(cell, middle) > tallest for cell in cells):
            low = middle + 1
        else:
            high = middle
    return low


def _height(text: str, width: int) -> int:
    """Lines that a text takes, its words folded."""
    lines = 0
    for line in text.split("\n"):
        lines, used = lines + 1, 0
        for word in line.split():
            length = _length(word)
            if used and used + 1 + length > width:
                lines, used = lines + 1, 0
            more, rest = divmod(max(length - 1, 0), width)
            lines, used = lines + more, (rest + 1 if more else used + bool(used) + length)
    return lines


def _lines(table: Table, widths: Sequence[dict[int, int]]) -> int:
    """Lines that the rows take, in all tables; of one in which nothing is folded, none: it is best as it is."""
    heights = [
        max((_height(cell_text(row.cells[place]).plain, given) for place, given in part.items()), default=1)
        for part in widths
        for row in table.rows
    ]
    return sum(heights) if max(heights, default=1) > 2 else 0


def _natural(table: Table, place: int) -> int:
    """The width at which nothing is folded."""
    column = table.columns[place]
    lines = [column.name, column.unit, *(line for cell in _cells(table, place) for line in cell.split("\n"))]
    return max(map(_length, lines))


def _least(table: Table, place: int, word: int) -> int:
    """The width at which words of the header are whole, numbers are, and words of at most `word` characters."""
    column = table.columns[place]
    header = max((_length(word) for word in (*column.name.split(), *column.unit.split())), default=1)
    if column.numeric:
        return max([header, *map(_length, _cells(table, place))])
    words = (_length(one) for cell in _cells(table, place) for one in cell.split())
    return max([header, *(min(length, word) for length in words)])


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
    """A row as lines `column (unit): value`, in its color; what names it stands out."""
    from rich.text import Text

    row = table.rows[place]
    lines = [
        Text.assemble((f"{column.header}: " if column.header else "", "dim"), cell_text(cell))
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    if not lines:
        return Text("")
    lines[0].stylize("bold")
    block = Text("\n").join([*lines, Text("")])
    block.style = STYLES.get(row.state, "")
    return block
