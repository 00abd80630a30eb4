"""`harness query "SELECT …"`: SQL over the history."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.formats import FormatName, put
from harness.cli.history import HISTORY, HistoryFolder, end_of_history


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the tables `history` and `verdicts`.")],
    history: HistoryFolder = HISTORY,
    format_: FormatName = "table",
    seconds: Annotated[int, typer.Option("--seconds", help="How long it may take.")] = 30,
) -> None:
    """Ask the history in SQL (DuckDB, in memory): nothing else can be read, and nothing written.

    Exit code 2: DuckDB can't answer it, or a file of the history is damaged: the rest is asked.
    """
    import harness
    from harness.history.query_text import query_answer
    from harness.report.output.written import format_of

    format = format_of(format_)
    found = harness.read_history(history)
    answer = harness.query(sql, found, seconds=seconds)
    put(query_answer(answer), format)
    end_of_history(found, with_verdicts=True)
