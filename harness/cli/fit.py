"""`harness fit DATA`: a scaling law fitted to a table of trained models."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console

if TYPE_CHECKING:
    from harness.analysis.scaling.runs import Runs
    from harness.results.record import Scalar


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
    from harness.analysis.scaling.findings import findings
    from harness.analysis.scaling.report import scaling_report
    from harness.analysis.scaling.suite.law_choice import LawChoiceSettings, law_choice
    from harness.analysis.scaling.suite.scaling_approaches import approaches as side_by_side
    from harness.analysis.scaling.suite.settings import fit_settings
    from harness.analysis.scaling.two_step_findings import two_step_findings
    from harness.analysis.scaling.work import check_compared, check_work
    from harness.errors import ExitCode, UserError
    from harness.report.making import of_findings
    from harness.report.tables import print_table

    settings = fit_settings(
        law=law,
        over=over,
        then=then,
        objective=objective,
        fit_below=fit_below,
        compute=compute or [],
        losses=loss or [],
        draw=draw,
        interval=interval,
        replicates=replicates,
        seed=seed,
        profiles=profiles,
    )
    if approaches and not replicates:
        raise UserError("--approaches compares intervals: it needs replicates", place="--replicates")
    runs, title = _runs(data, _pairs(columns, "--columns"), _factors(units), counted, rows)
    check_work(len(runs), settings)
    for asked, option in ((approaches, "--approaches"), (choose, "--choose")):
        if asked:
            check_compared(len(runs), option)
    if out is not None:
        _make(out)
    console = make_console()
    report = scaling_report(runs, settings)
    about: dict[str, Scalar] = {"data": title}
    found = findings(report, about)
    if settings.then is not None:
        found += two_step_findings(runs, settings, about)
    if approaches:
        found += side_by_side(runs, settings.compute, replicates, about)
    if choose:
        found += law_choice(runs, LawChoiceSettings(replicates=min(max(replicates, 50), 400)), about)
    second = [item.note for item in found if item.name == "error_trust" and item.value == 0]
    problems = [*report.problems, *(f"the second step: {note.partition(': ')[2]}" for note in second)]
    for problem in problems:
        console.print(f"not to be trusted: {problem}", style="bold red", highlight=False, markup=False)
    for flag in runs.flags:
        console.print(f"note: {flag}", style="yellow", highlight=False, markup=False)
    text = f"{report.fit.law.formula} ({report.fit.law.source}), fitted to {len(report.fit.runs)} runs of {title}."
    command = shlex.join(["harness", *sys.argv[1:]])
    made = of_findings(f"Scaling law of {title}", text, found, problems, command)
    for table in made.findings:
        print_table(table, console)
    if out is not None:
        import pandas as pd

        from harness.report.fit_files import write_fit

        drawn = None
        if report.draws is not None:
            drawn = pd.DataFrame(report.draws.natural, columns=list(report.fit.law.names))
        for path in write_fit(out, made, found, drawn):
            console.print(str(path), style="dim", highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(ExitCode.INCONCLUSIVE)


def _make(folder: Path) -> None:
    """The folder for what is written, before minutes are spent on it."""
    from harness.errors import UserError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise UserError(
            "no folder can be made there: something else is in its place", place=f"--out {folder}"
        ) from error


def _runs(
    data: str, columns: dict[str, str], units: dict[str, float], counted: str | None, rows: str | None
) -> tuple[Runs, str]:
    """The runs of a file or a published data set, and what to call them."""
    from harness.analysis.scaling.runs import parameter_count, runs_from_frame
    from harness.analysis.scaling.table_file import read_table
    from harness.errors import UserError, shown
    from harness.input_file import refuse_endless, why_no_path
    from harness.published_data import DATA_SETS, data_set, fitted_runs, training_runs
    from harness.published_data import frame as published_frame

    path = Path(data)
    if (why := why_no_path(data)) is not None:
        raise UserError(f"{why}; name a CSV or Parquet file", place=shown(data))
    if path.is_file():
        if rows is not None:
            raise UserError("--rows names rows of a published data set, not of a file", place=data)
        return runs_from_frame(
            read_table(path), columns=columns, units=units, counted=parameter_count(counted), place=data
        ), path.name
    if path.is_dir():
        raise UserError("this is a folder; name a CSV or Parquet file in it", place=data)
    if path.exists():
        refuse_endless(path, "a table")
    if data not in DATA_SETS and (path.suffix or "/" in data):
        raise UserError("there is no such file", place=data)
    declared = data_set(data)
    frame = training_runs(data) if rows == "every" else fitted_runs(data, rows)
    whole = published_frame(data)
    others = [name for name in columns.values() if name not in frame and name in whole]
    frame = frame.join(whole[others])
    known = columns | {role: role for role in frame.columns if role in ("parameters", "tokens", "compute", "loss")}
    return runs_from_frame(
        frame.rename(columns={"run": "name"}),
        columns=known,
        units=units,
        counted=parameter_count(counted or declared.counted),
        place=data,
    ), data


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
