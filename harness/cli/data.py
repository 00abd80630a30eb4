"""`harness data`: tables of published numbers, and how they come to this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.helping import example

if TYPE_CHECKING:
    from harness.report.table import Table

app = typer.Typer(
    help="Published numbers (scaling runs, evaluations): list them, see their columns, fetch one.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def data(context: typer.Context) -> None:
    """List the data sets: what they are, their license, and where they lie on this machine."""
    if context.invoked_subcommand is None:
        from harness.report.tables import print_table

        print_table(data_table(), make_console())


def data_table() -> Table:
    """The declared data sets as a table."""
    from harness import assets, published_data
    from harness.report.table import Column, Row, Table

    rows = []
    for name, declared in published_data.DATA_SETS.items():
        found = published_data.where(name)
        rows.append(Row((name, declared.about, assets.asset(name).license, found.kind if found else "no")))
    columns = (Column("name"), Column("what"), Column("license"), Column("here"))
    return Table("Published data", columns, tuple(rows), "harness data show NAME, harness data get NAME")


@app.command("show", epilog=example("harness data show epoch_chinchilla"))
def show(name: Annotated[str, typer.Argument(help="Name of a data set.", autocompletion=completing.data_sets)]) -> None:
    """Print a data set's columns with their meaning, the rows of published fits, corrected errors and whom to cite."""
    from harness import assets
    from harness.published_data import data_set
    from harness.report.table import Column, Row, Table
    from harness.report.tables import print_table

    declared = data_set(name)
    columns = (Column("column"), Column("unit"), Column("meaning"), Column("fitted as"))
    rows = tuple(Row((column.name, column.unit, column.meaning, column.role or "")) for column in declared.columns)
    parameters = f"Parameters: {declared.counted}; {declared.counted_note}" if declared.counted else ""
    notes = [
        parameters,
        *(f"Fit {fit.name}: {fit.about}" for fit in declared.fits),
        *(f"Corrected: {mend.about}" for mend in declared.mends),
        f"Cite: {declared.cite}",
        f"From: {assets.asset(name).address}; license: {assets.asset(name).license}",
    ]
    print_table(Table(f"{name}: {declared.table}", columns, rows, notes=tuple(filter(None, notes))), make_console())


@app.command("get", epilog=example("harness data get epoch_chinchilla"))
def get(
    names: Annotated[list[str], typer.Argument(help="Names of data sets.", autocompletion=completing.data_sets)],
) -> None:
    """Fetch data sets into the cache, verified; one that lies under HARNESS_DATA is left there."""
    from harness import published_data
    from harness.cli.assets import fetch

    for name in names:
        found = published_data.where(name)
        if found is None:
            fetch(name)
        else:
            say(f"{name}: {found.folder}")
