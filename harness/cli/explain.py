"""`harness explain RUN TASK DOCUMENT`: what the model saw, token by token, and how its answer was judged; and with
`--wrong`, which answers are wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console
from harness.cli.formats import FormatName, Wide, put
from harness.cli.options import RUNS, Out, RunName

MOST_WRONG = 10
"""Wrong answers that are listed of each cell, where nobody says how many."""


def explain(
    name: RunName,
    task: Annotated[
        str | None,
        typer.Argument(
            help="The task, a group's member by its own name; may be left out where the run has one alone.",
            autocompletion=completing.tasks,
        ),
    ] = None,
    document: Annotated[
        int | None,
        typer.Argument(help="The document's place in its split, from 0; with --wrong, how many to list of each cell."),
    ] = None,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="List wrong answers: 10 of each cell, or as many as you say.")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", help="Of several models, this one.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Of several cells, those with this: `shots=5`.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="Of --wrong: what says right or wrong, `acc_norm`. Left out, the first."),
    ] = None,
    format_: FormatName = "table",
    wide: Wide = False,
    whole: Annotated[bool, typer.Option("--whole", help="Print long prompts whole, not their two ends.")] = False,
    out: Out = RUNS,
) -> None:
    """Print what a model saw of one document, token by token, and how its answer was judged; or, with --wrong, which
    answers are wrong: `harness explain latest arc_easy --wrong 20`."""
    import harness
    from harness.cli.ending import end_of_cells
    from harness.errors import UserError
    from harness.report.explanation import print_explanation
    from harness.report.output.written import Format, format_of
    from harness.report.wrong_answers import wrong_answers, wrong_answers_answer

    format = format_of(format_)
    if document is None and (task or "").isascii() and (task or "").isdigit():  # `explain latest 7`
        task, document = None, int(task or 0)
    if wrong:
        if document is not None and document < 1:
            raise UserError("lists at least one answer", place="--wrong")
        run = harness.open_cells(name, out)
        found = wrong_answers(run, task, model, where or (), metric)
        put(wrong_answers_answer(found, MOST_WRONG if document is None else document, wide=wide), format)
        end_of_cells(run)
        return
    if document is None:
        line = " ".join(filter(None, ("harness explain", name, task)))
        raise UserError(f"which document? `{line} 0`, or --wrong for those answered wrong")
    if format is not Format.TABLE or metric is not None or wide:
        raise UserError("this goes with --wrong: one document is shown token by token, for a reader", place="--format")
    console = make_console()
    run = harness.open_cells(name, out)
    for explanation in harness.explain(run, task, document, model=model, where=where or (), out=out):
        print_explanation(explanation, console, whole)
    end_of_cells(run)
