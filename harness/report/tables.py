"""The terminal's view of a run, with rich.

Everything that comes from a run is printed as `Text`, never as markup: a reason may hold brackets, a name colons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.report.environment import summary, warnings
from harness.report.findings import finding_tables
from harness.report.html import HTML
from harness.report.markdown import MARKDOWN
from harness.report.number import Shown, duration
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.report.table import Table
from harness.results.record import Status
from harness.results.run import RECORDS, Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

NO_BREAK = "\N{NO-BREAK SPACE}"

STYLES = {
    "failed": "red",
    "skipped": "dim",
    "met": "green",
    "unmet": "bold red",
    "undecided": "yellow",
    "better": "green",
    "worse": "red",
}


def print_run(run: Run, console: Console) -> None:
    """Everything that a run found: a table per measure, findings, expectations, the machine, and where it lies."""
    from rich.text import Text

    console.print(Text.assemble((run.manifest.suite, "bold"), "  ", run.manifest.about))
    for table in result_tables(run):
        print_table(table, console)
    for table in finding_tables(run.findings):
        print_table(table, console)
    if run.expectations:
        print_table(expectation_table(run.expectations), console)
    console.print()
    console.print(Text(summary(run), style="dim"))
    for warning in warnings(run):
        console.print(Text(f"warning: {warning}", style="yellow"))
    print_places(run, console)


def print_places(run: Run, console: Console) -> None:
    """Where a run's files lie."""
    from rich.text import Text

    for name in (HTML, MARKDOWN, RECORDS):
        if (run.folder / name).exists():
            # soft_wrap keeps a long path in one piece, so that it can be copied
            console.print(Text(f"{name.partition('.')[0]:>8}  {run.folder / name}"), soft_wrap=True)


def print_runs(runs: Sequence[Run], console: Console) -> None:
    """The runs that are here, the newest last; a corrupted one is a line, not the end of the list."""
    from rich.table import Table as RichTable
    from rich.text import Text

    if not runs:
        console.print("no runs here yet; `harness run quickstart` makes one", highlight=False)
        return
    table = RichTable(box=None, pad_edge=False)
    for name in ("run", "suite", "state", "cells", "failed", "took"):
        table.add_column(name)
    for run in runs:
        table.add_row(*map(Text, _listed(run)))
    console.print(table)


def _listed(run: Run) -> tuple[str, ...]:
    try:
        manifest = run.manifest
        failed = sum(cell.status in (Status.FAILED, Status.OUT_OF_MEMORY) for cell in run.cells)
    except UserError as error:
        return run.name, "", "corrupted", error.message
    cells = f"{len(run.cells)} of {len(manifest.cells)}"
    return run.name, manifest.suite, manifest.status, cells, str(failed or ""), duration(manifest.seconds)


def print_table(table: Table, console: Console) -> None:
    """One table with its caption and notes."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    # not as the rich table's own title, which would be folded to the table's width
    console.print(Text.assemble((table.title, "bold"), "  ", (table.caption, "dim")))
    console.print(rich_table(table))
    for note in table.notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))


def rich_table(table: Table) -> RichTable:
    """The rich table: a number with its spread in percent."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        header = Text.assemble(column.name, ("\n" + column.unit if column.unit else "", "dim"))
        drawn.add_column(header, justify="right" if column.numeric else "left", overflow="fold")
    for row, following in zip(table.rows, (*table.rows[1:], None), strict=True):
        ends_group = following is not None and following.group != row.group
        drawn.add_row(*map(_cell, row.cells), style=STYLES.get(row.state, ""), end_section=ends_group)
    return drawn


def _cell(cell: str | Shown) -> Text:
    """A number with its spread (both ends would make a table too wide for a terminal), never broken within."""
    from rich.text import Text

    if isinstance(cell, str):
        return Text(cell)
    value = cell.value.replace(" ", NO_BREAK)
    return (
        Text.assemble(value, (f"{NO_BREAK}{cell.spread:>5}".replace(" ", NO_BREAK), "dim"))
        if cell.spread
        else Text(value)
    )
