"""`harness fit DATA`: a scaling law fitted to a table of trained models."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console


def fit(
    data: Annotated[
        str,
        typer.Argument(
            help="A CSV or Parquet file, or a published data set (`harness data`).", autocompletion=completing.data_sets
        ),
    ],
    law: Annotated[str, typer.Option("--law", help="The formula: `harness list laws`.")] = "chinchilla",
    over: Annotated[
        str, typer.Option("--over", help="What a law of one quantity is over: parameters, tokens or compute.")
    ] = "compute",
    then: Annotated[
        str | None,
        typer.Option("--then", help="From loss to a task's error (column `error`): exponential_error, sigmoid_error."),
    ] = None,
    objective: Annotated[str, typer.Option("--objective", help="huber, lad or squares, of log residuals.")] = "huber",
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", help="Which column is what: `parameters=N,tokens=D,loss=val`."),
    ] = None,
    units: Annotated[
        list[str] | None, typer.Option("--units", help="Factors of columns: `parameters=1e6,tokens=1e9`.")
    ] = None,
    counted: Annotated[
        str | None, typer.Option("--counted", help="Which parameters the column counts: all or non_embedding.")
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option("--rows", help="Of a published data set: a published fit's rows by name, or `every`."),
    ] = None,
    fit_below: Annotated[
        float | None, typer.Option("--fit-below", help="Fit runs of less FLOPs than this and predict the others.")
    ] = None,
    compute: Annotated[
        list[float] | None, typer.Option("--compute", help="A budget in FLOPs for which the best use is wanted.")
    ] = None,
    loss: Annotated[list[float] | None, typer.Option("--loss", help="A loss for which the compute is wanted.")] = None,
    draw: Annotated[
        str | None, typer.Option("--draw", help="What the bootstrap draws: run, group or parameters (sizes).")
    ] = None,
    interval: Annotated[str, typer.Option("--interval", help="percentile or bca.")] = "percentile",
    replicates: Annotated[int, typer.Option("--replicates", help="Bootstrap replicates; 0 for no intervals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0,
    approaches: Annotated[
        bool, typer.Option("--approaches", help="Put envelope, isoFLOP parabolas and the law side by side.")
    ] = False,
    choose: Annotated[
        bool, typer.Option("--choose", help="Score several laws on the runs above what they are fitted to.")
    ] = False,
    profiles: Annotated[bool, typer.Option(help="Whether to profile each parameter.")] = True,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the findings, the draws, a page and pictures.")
    ] = None,
) -> None:
    """Fit a scaling law: its parameters with intervals, the best use of a budget, and whether to believe it.

    Exit code 3 where the fit can't be trusted; what it says is printed first.
    """
    import harness
    from harness.errors import ExitCode
    from harness.report.tables import print_table

    named, factors = _pairs(columns, "--columns"), _factors(units)
    if out is not None:
        harness.make_folder(out)
    found = harness.fit(
        data,
        law=law,
        over=over,
        then=then,
        objective=objective,
        columns=named,
        units=factors,
        counted=counted,
        rows=rows,
        fit_below=fit_below,
        compute=compute or (),
        losses=loss or (),
        draw=draw,
        interval=interval,
        replicates=replicates,
        seed=seed,
        approaches=approaches,
        choose=choose,
        profiles=profiles,
        command=shlex.join(["harness", *sys.argv[1:]]),
    )
    console = make_console()
    for problem in found.problems:
        console.print(f"not to be trusted: {problem}", style="bold red", highlight=False, markup=False)
    for note in found.notes:
        console.print(f"note: {note}", style="yellow", highlight=False, markup=False)
    for table in found.made.findings:
        print_table(table, console)
    if out is not None:
        for path in found.write(out):
            console.print(str(path), style="dim", highlight=False, soft_wrap=True)
    if found.problems:
        raise typer.Exit(ExitCode.INCONCLUSIVE)


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    from harness.errors import UserError

    found = {}
    for text in ",".join(given or ()).split(","):
        if not text.strip():
            continue
        role, equals, name = text.partition("=")
        if not equals or not name.strip():
            raise UserError(f"'{text}' is no pair ROLE=NAME", place=option)
        found[role.strip()] = name.strip()
    return found


def _factors(given: list[str] | None) -> dict[str, float]:
    from harness.errors import UserError

    try:
        return {role: float(value) for role, value in _pairs(given, "--units").items()}
    except ValueError as error:
        raise UserError(f"a unit is a factor such as 1e6 ({error})", place="--units") from None
