"""`harness assets`: models and data sets that suites name, and how they come into the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.helping import example

if TYPE_CHECKING:
    from harness.report.table import Table

app = typer.Typer(
    help="Models and data sets that suites name: list them, fetch one into the cache.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def assets(context: typer.Context) -> None:
    """List the assets: what they are, their license and size, and whether they are in the cache."""
    if context.invoked_subcommand is None:
        from harness.report.tables import print_table

        print_table(assets_table(), make_console())


def assets_table() -> Table:
    """The declared assets as a table."""
    from harness import assets
    from harness.number import with_interval
    from harness.report.table import Column, Row, Table

    columns = (Column("name"), Column("kind"), Column("size", numeric=True), Column("license"), Column("here"))
    rows = tuple(
        Row(
            (
                status.asset.name,
                status.asset.kind,
                with_interval(status.asset.download_size, None, None, "bytes"),
                status.asset.license,
                "yes" if status.present else "no",
                f"{status.asset.about} ({status.asset.address})",
            )
        )
        for status in assets.status()
    )
    return Table("Assets", (*columns, Column("what and where from")), rows, "harness assets get NAME")


@app.command("get", epilog=example("harness assets get shakespeare"))
def get(names: Annotated[list[str], typer.Argument(help="Names of assets.", autocompletion=completing.assets)]) -> None:
    """Fetch assets into the cache, verified."""
    for name in names:
        fetch(name)


def fetch(name: str) -> None:
    """Bring one asset into the cache, with a progress bar, and print where it lies."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from harness import assets

    console = make_console()
    with Progress(
        TextColumn(name, markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(name, total=None)
        path = assets.get(name, lambda done, total: progress.update(task, completed=done, total=total))
    console.print(f"{name}: {path}", highlight=False, soft_wrap=True)


@app.command("verify", epilog=example("harness assets verify shakespeare"))
def verify(
    names: Annotated[list[str], typer.Argument(help="Names of assets.", autocompletion=completing.assets)],
) -> None:
    """Check every byte of assets in the cache against their hashes."""
    from harness import assets

    for name in names:
        assets.verify(name)
        say(f"{name}: as declared")
