"""`harness query "SELECT …"`: SQL over the history."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.history import HISTORY, HistoryFolder, end_of_history


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the tables `history` and `verdicts`.")],
    history: HistoryFolder = HISTORY,
    format_: Annotated[str, typer.Option("--format", help="table, csv, json or markdown.")] = "table",
    seconds: Annotated[int, typer.Option("--seconds", help="How long it may take.")] = 30,
) -> None:
    """Ask the history in SQL (DuckDB, in memory): nothing else can be read, and nothing written.

    Exit code 2: DuckDB can't answer it, or a file of the history is damaged: the rest is asked.
    """
    from harness.errors import UserError, shown
    from harness.history.folder import read_history
    from harness.history.query import query as ask
    from harness.history.query_text import FORMATS, as_table
    from harness.report.tables import print_table

    if format_ not in ("table", *FORMATS):
        raise UserError(f"is one of table, {', '.join(FORMATS)}, not '{shown(format_)}'", place="--format")
    if seconds < 1:
        raise UserError("at least one second is needed", place="--seconds")
    found = read_history(history)
    answer = ask(sql, found, seconds=seconds)
    if format_ == "table":
        print_table(as_table(answer), make_console())
    else:
        say(FORMATS[format_](answer).rstrip("\n"))
    end_of_history(found, with_verdicts=True)
