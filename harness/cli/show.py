"""`harness show [RUN]`: the tables of a run that is there, or the runs."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console
from harness.cli.formats import FormatName, Metrics, Where, Wide, choice_of, put
from harness.cli.options import RUNS, Out


def show(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run folder, a name (or part of it), `latest`; none: list the runs.", autocompletion=completing.runs
        ),
    ] = None,
    format_: FormatName = "table",
    wide: Wide = False,
    metrics: Metrics = None,
    where: Where = None,
    out: Out = RUNS,
) -> None:
    """Print the tables of a run; without a name, the runs that are here.

    Exit code 2 where something in the run is damaged: what can be believed is shown.
    """
    import harness
    from harness.cli.ending import end
    from harness.errors import UserError
    from harness.report.output.of_run import run_answer, runs_answer
    from harness.report.output.written import Format, format_of
    from harness.report.terminal import print_run, print_runs, tell_warnings

    format, choice = format_of(format_), choice_of(metrics, where, wide)
    if run is None:
        if metrics:
            raise UserError(
                "a list of runs has no metrics: name a run, such as `harness show latest`", place="--metrics"
            )
        runs = harness.open_runs(out)
        if format is Format.TABLE and not runs:
            print_runs(runs, make_console())
        else:
            put(runs_answer(runs, choice), format)
        return
    found = harness.open_run(run, out)
    if format is Format.TABLE and not choice.chooses and not wide:
        print_run(found, make_console())
    else:
        put(run_answer(found, choice), format)
        tell_warnings(found)
    end(found)
