"""`harness compare BASE HEAD`: two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completing
from harness.cli.console import say
from harness.cli.formats import FormatName, Metrics, Where, Wide, choice_of, put
from harness.cli.options import RUNS, Out

if TYPE_CHECKING:
    from harness.results.run import Run


def compare(
    base: Annotated[
        str | None,
        typer.Argument(
            help="The run (or `baseline:NAME`) to compare with; left out, the one of the same suite before.",
            autocompletion=completing.runs,
        ),
    ] = None,
    head: Annotated[str, typer.Argument(help="The run that is compared.", autocompletion=completing.runs)] = "latest",
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="Fail where something is `worse`, `different` or `incomparable`; several too."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", min=0, max=1, help="Of `different`: the share by which values may differ."),
    ] = None,
    format_: FormatName = "table",
    wide: Wide = False,
    metrics: Metrics = None,
    where: Where = None,
    out: Out = RUNS,
) -> None:
    """Print two runs side by side: every metric that both have, with the ratio and its interval, and below them what
    changed in the software. `--metrics` and `--where` choose what is printed; `--fail-on` judges all of it.

    Exit code 1 where something is worse or different and `--fail-on` says so; 4 where something is incomparable and it
    says so, and where nothing is comparable; 2 where a run is damaged, or samples of a cell can't be read: the rest is
    compared.
    """
    from harness.cli.ending import end_of_cells
    from harness.comparison.compare import compared_frame, comparison_rows
    from harness.errors import ExitCode, UserError, inert
    from harness.gate.stored.fail_on import FailOn, kinds_of, look_for
    from harness.report.output.of_comparison import comparison_answer
    from harness.report.output.written import Format, format_of
    from harness.results.find import find_cells, run_before
    from harness.results.software import software_changes

    format, choice = format_of(format_), choice_of(metrics, where, wide)
    kinds = kinds_of(fail_on or ())
    if tolerance is not None and FailOn.DIFFERENT not in kinds:
        raise UserError("says how far values may differ: give `--fail-on different` too", place="--tolerance")
    first = None if base is None else find_cells(base, out)
    second = find_cells(head, out)
    runs = first or run_before(second, out), second
    names, rows = comparison_rows(*runs)
    frame = compared_frame(names, rows)
    is_data = format is not Format.TABLE
    if base is None:
        say(f"base {runs[0].name}, head {runs[1].name}", to_stderr=True)
    put(comparison_answer(f"{runs[0].name} and {runs[1].name}", names, rows, choice), format)
    if not rows:
        say("neither run has a cell", to_stderr=is_data)
    for change in software_changes(*(_fingerprint(run) for run in runs)):
        say(f"changed: {change}", to_stderr=is_data)
    told = [*runs[0].damage_of_cells, *runs[1].damage_of_cells]
    problems = list(frame.loc[frame["damaged"], "reason"].unique())
    for problem in problems:
        if not any(said.startswith(problem.partition(": ")[0]) for said in told):
            typer.echo(f"error: {inert(problem)}", err=True)
    found = look_for(kinds, *runs, frame, tolerance or 0.0)
    for one in found:
        for sentence in (*one.notes, one.sentence):
            say(sentence, to_stderr=is_data)
    if any(one.exit_code is ExitCode.UNMET for one in found):
        raise typer.Exit(ExitCode.UNMET)
    if problems:
        raise typer.Exit(ExitCode.USAGE)
    comparable = not frame.empty and frame["comparable"].any()
    is_incomparable = not comparable or any(one.exit_code is ExitCode.NOT_COMPARABLE for one in found)
    end_of_cells(*runs, code=ExitCode.NOT_COMPARABLE if is_incomparable else ExitCode.PASS)


def _fingerprint(run: Run) -> dict[str, Any]:
    """That of a run's manifest; nothing where it can't be read, which is told of at the end."""
    from harness.errors import UserError

    try:
        return run.manifest.fingerprint
    except UserError:
        return {}
