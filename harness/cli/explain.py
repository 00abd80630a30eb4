"""`harness explain RUN TASK DOCUMENT`: what the model saw, token by token, and how its answer was judged."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console
from harness.cli.options import RUNS, Out, RunName


def explain(
    name: RunName,
    task: Annotated[
        str,
        typer.Argument(
            help="The task, as in the samples: a group's member by its own name.", autocompletion=completing.tasks
        ),
    ],
    document: Annotated[int, typer.Argument(help="The document's place in its split, from 0.")],
    model: Annotated[str | None, typer.Option("--model", help="Of several models, this one.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Of several cells, those with this: `shots=5`.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Print long prompts whole, not their two ends.")] = False,
    out: Out = RUNS,
) -> None:
    """Print what a model saw of one document, token by token, and how its answer was judged."""
    from harness.cli.ending import end_of_cells
    from harness.report.explanation import explanations, print_explanation
    from harness.results.find import find_cells

    console = make_console()
    run = find_cells(name, out)
    for explanation in explanations(run, task, document, model, where or ()):
        print_explanation(explanation, console, whole)
    end_of_cells(run)
