"""How a command's output is written, and what of it: one declaration of these options, and one place that prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import make_console, say

if TYPE_CHECKING:
    from harness.report.output.choice import Choice
    from harness.report.output.written import Answer, Format

FormatName = Annotated[
    str, typer.Option("--format", help="table, csv, json, md or html (docs/output.md). Notices go to stderr.")
]
Wide = Annotated[bool, typer.Option("--wide", help="All columns.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metrics", help="These alone: names or wildcards, between commas: `ppl,acc*`.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="What has this alone: `precision=int8`; several; a name twice: either value."),
]


def choice_of(metrics: list[str] | None = None, where: list[str] | None = None, wide: bool = False) -> Choice:
    """What the options mean. Raises UserError."""
    from harness.report.output.choice import choice

    return choice(metrics or (), where or (), wide)


def put(answer: Answer, format: Format) -> None:
    """Print what a command found: nothing else goes to stdout but where the format is a table."""
    from harness.report.output.written import Format, written
    from harness.report.tables import print_table

    if format is not Format.TABLE:
        put_text(written(answer, format))
        return
    console = make_console()
    for table in answer.tables:
        print_table(table, console)


def put_text(text: str) -> None:
    """Print a document that ends with a line break."""
    say(text.removesuffix("\n"))
