"""`harness compare BASE HEAD`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.console import say
from harness.cli.formats import FormatName, Metrics, Where, Wide, choice_of, put
from harness.cli.options import RUNS, Out


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
    import harness
    from harness.cli.ending import end_of_cells
    from harness.errors import inert
    from harness.report.output.of_comparison import comparison_answer
    from harness.report.output.written import Format, format_of

    format, choice = format_of(format_), choice_of(metrics, where, wide)
    is_data = format is not Format.TABLE
    checked = harness.check_runs(base, head, fail_on=fail_on or (), tolerance=tolerance, out=out)
    names = " and ".join(run.name for run in checked.runs)
    if base is None:
        say(f"base {checked.base.name}, head {checked.head.name}", to_stderr=True)
    put(comparison_answer(names, checked.names, checked.rows, choice), format)
    if not checked.rows:
        say("neither run has a cell", to_stderr=is_data)
    for change in checked.software:
        say(f"changed: {change}", to_stderr=is_data)
    told = [*checked.base.damage_of_cells, *checked.head.damage_of_cells]
    for problem in checked.problems:
        if not any(said.startswith(problem.partition(": ")[0]) for said in told):
            typer.echo(f"error: {inert(problem)}", err=True)
    for one in checked.found:
        for sentence in (*one.notes, one.sentence):
            say(sentence, to_stderr=is_data)
    end_of_cells(*checked.runs, code=checked.exit_code)
