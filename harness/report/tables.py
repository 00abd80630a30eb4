"""The terminal's view of a run, with rich."""

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
from harness.results.run import Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

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
    console.print(f"[bold]{_plain(run.manifest.suite)}[/]  {_plain(run.manifest.about)}", highlight=False)
    for table in result_tables(run):
        print_table(table, console)
    for table in finding_tables(run.findings):
        print_table(table, console)
    if run.expectations:
        print_table(expectation_table(run.expectations), console)
    console.print()
    console.print(_plain(summary(run)), style="dim", highlight=False)
    for warning in warnings(run):
        console.print(f"warning: {_plain(warning)}", style="yellow", highlight=False)
    print_places(run, console)


def print_places(run: Run, console: Console) -> None:
    """Where a run's files lie."""
    for name in (HTML, MARKDOWN, "records.parquet"):
        if (run.folder / name).exists():
            # soft_wrap keeps a long path in one piece, so that it can be copied
            line = f"{name.partition('.')[0]:>8}  {run.folder / name}"
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def print_runs(runs: Sequence[Run], console: Console) -> None:
    """The runs that are here, the newest last; a corrupted one is a line, not the end of the list."""
    from rich.table import Table as RichTable

    table = RichTable(box=None, pad_edge=False)
    for name in ("run", "suite", "state", "cells", "failed", "took"):
        table.add_column(name)
    for run in runs:
        try:
            failed = sum(cell.status in (Status.FAILED, Status.OUT_OF_MEMORY) for cell in run.cells)
            manifest = run.manifest
            table.add_row(
                _plain(run.name),
                _plain(manifest.suite),
                manifest.status,
                f"{len(run.cells)} of {len(manifest.cells)}",
                str(failed) if failed else "",
                duration(manifest.seconds),
            )
        except UserError as error:
            table.add_row(_plain(run.name), "", "[red]corrupted", _plain(error.message))
    if runs:
        console.print(table)
    else:
        console.print("no runs here yet; `harness run quickstart` makes one", highlight=False)


def print_table(table: Table, console: Console) -> None:
    """One table with its caption and notes."""
    console.print()
    console.print(rich_table(table))
    for note in table.notes:
        console.print(f"  {_plain(note)}", style="dim", highlight=False)


def rich_table(table: Table) -> RichTable:
    """The rich table: a number with its spread in percent."""
    from rich import box
    from rich.table import Table as RichTable

    title = f"[bold]{_plain(table.title)}[/]" + (f"  [dim]{_plain(table.caption)}[/]" if table.caption else "")
    shown = RichTable(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        shown.add_column(
            _plain(column.name) + (f"\n[dim]{_plain(column.unit)}[/]" if column.unit else ""),
            justify="right" if column.numeric else "left",
            overflow="fold",
        )
    for number, row in enumerate(table.rows):
        cells = [_cell(cell) for cell in row.cells]
        last_of_group = number + 1 < len(table.rows) and table.rows[number + 1].group != row.group
        shown.add_row(*cells, style=STYLES.get(row.state, ""), end_section=last_of_group)
    return shown


def _cell(cell: str | Shown) -> str:
    """A number with its spread (both ends would make a table too wide for a terminal), never broken within."""
    if isinstance(cell, str):
        return _plain(cell)
    value = _plain(cell.value)
    return (f"{value} [dim]{cell.spread:>5}[/]" if cell.spread else value).replace(" ", NO_BREAK)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
