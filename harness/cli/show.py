"""`harness show [RUN]`: the tables of a run that is there, or the runs."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console
from harness.cli.options import RUNS, Out


def show(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run folder, a name (or part of it), `latest`; none: list the runs.", autocompletion=completing.runs
        ),
    ] = None,
    out: Out = RUNS,
) -> None:
    """Print the tables of a run; without a name, the runs that are here.

    Exit code 2 where something in the run is damaged: what can be believed is shown.
    """
    from harness.cli.ending import end
    from harness.report.terminal import print_run, print_runs
    from harness.results.find import find_run, run_folders
    from harness.results.run import Run

    console = make_console()
    if run is None:
        print_runs([Run(folder) for folder in run_folders(out)], console)
    else:
        found = find_run(run, out)
        print_run(found, console)
        end(found)
