"""`harness diff BASE HEAD`: which documents flipped between two runs, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console
from harness.cli.formats import FormatName, put
from harness.cli.options import RUNS, Out


def diff(
    base: Annotated[str, typer.Argument(help="The run to compare with.", autocompletion=completing.runs)],
    head: Annotated[
        str,
        typer.Argument(
            help="The run that is compared; the same one with --base and --head.", autocompletion=completing.runs
        ),
    ],
    of_base: Annotated[
        list[str] | None, typer.Option("--base", help="Of the base, cells with this: `precision=fp32`.")
    ] = None,
    of_head: Annotated[
        list[str] | None, typer.Option("--head", help="Of the head, cells with this: `precision=int8`.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Only this task, or the tasks of this group.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="A metric that says right or wrong: `acc_norm`. Left out, the first.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            help="Documents of each task: 20 in a table, else all. 0: the counts alone.",
            show_default=False,
        ),
    ] = None,
    format_: FormatName = "table",
    out: Out = RUNS,
) -> None:
    """Print which documents are right in one run and wrong in the other, whether that is chance, and why."""
    import harness
    from harness.cli.ending import end_of_cells
    from harness.notice import notice
    from harness.report.flips import print_flips
    from harness.report.output.of_difference import LISTED, difference_answer
    from harness.report.output.written import Format, format_of

    format = format_of(format_)
    runs = harness.open_cells(base, out), harness.open_cells(head, out)
    found = harness.diff(*runs, of_base=of_base or (), of_head=of_head or (), task=task, metric=metric, out=out)
    if format is Format.TABLE:
        print_flips(found, make_console(), LISTED if limit is None else limit)
    else:
        for note in found.notes:
            notice(note)
        put(difference_answer(found, limit), format)
    end_of_cells(*runs)
