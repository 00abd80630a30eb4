"""A table in the terminal, with rich.

Everything that comes from a run is printed as `Text`, never as markup: a reason may hold brackets, a name colons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.table import Table
from harness.report.table_layout import laid_out, width_of_one

if TYPE_CHECKING:
    from rich.console import Console


def print_table(table: Table, console: Console) -> None:
    """One table with its caption and notes: in a terminal as wide as that is; in a file, where the console doesn't wrap
    lines either, as wide as it has to be to stay one table."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    # not as the rich table's own title, which would be folded to the table's width
    console.print(Text.assemble((table.title, "bold"), "  ", (table.caption, "dim")))
    given = console.width
    width = max(given, width_of_one(table)) if console.soft_wrap else given
    parts = laid_out(table, width)
    try:
        console.width = width
        for part in parts:
            console.print(part, soft_wrap=False)
    finally:
        console.width = given
    for note in table.notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False))
