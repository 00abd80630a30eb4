"""`harness compare BASE HEAD`: two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import make_console
from harness.cli.options import RUNS, Out

if TYPE_CHECKING:
    from harness.results.run import Run


def compare(
    base: Annotated[str, typer.Argument(help="The run to compare with.")],
    head: Annotated[str, typer.Argument(help="The run that is compared.")],
    out: Out = RUNS,
) -> None:
    """Print two runs side by side: every metric that both have, with the ratio and its interval, and below them what
    changed in the software.

    Exit code 4 where nothing in them is comparable; 2 where a run is damaged, or samples of a cell can't be read: the
    rest is compared.
    """
    from harness.cli.ending import end_of_cells
    from harness.comparison.compare import compare as compare_runs
    from harness.errors import ExitCode, inert
    from harness.report.comparison import print_comparison
    from harness.results.find import find_cells
    from harness.results.software import software_changes

    runs = find_cells(base, out), find_cells(head, out)
    frame = compare_runs(*runs)
    console = make_console()
    print_comparison(frame, console)
    for change in software_changes(*(_fingerprint(run) for run in runs)):
        console.print(f"changed: {inert(change)}", markup=False, highlight=False)
    told = [*runs[0].damage_of_cells, *runs[1].damage_of_cells]
    problems = list(frame.loc[frame["damaged"], "reason"].unique())
    for problem in problems:
        if not any(said.startswith(problem.partition(": ")[0]) for said in told):
            typer.echo(f"error: {inert(problem)}", err=True)
    if problems:
        raise typer.Exit(ExitCode.USAGE)
    comparable = not frame.empty and frame["comparable"].any()
    end_of_cells(*runs, code=ExitCode.PASS if comparable else ExitCode.NOT_COMPARABLE)


def _fingerprint(run: Run) -> dict[str, Any]:
    """That of a run's manifest; nothing where it can't be read, which is told of at the end."""
    from harness.errors import UserError

    try:
        return run.manifest.fingerprint
    except UserError:
        return {}
