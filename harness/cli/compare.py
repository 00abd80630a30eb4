"""`harness compare BASE HEAD`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import make_console
from harness.cli.options import RUNS, Out


def compare(
    base: Annotated[str, typer.Argument(help="The run to compare with.")],
    head: Annotated[str, typer.Argument(help="The run that is compared.")],
    out: Out = RUNS,
) -> None:
    """Print two runs side by side: every metric that both have, with the ratio and its interval.

    Exit code 4 where nothing in them is comparable, 2 where samples of a cell can't be read; the rest is printed.
    """
    from harness.errors import ExitCode
    from harness.gate.compare import compare as compare_runs
    from harness.report.comparison import print_comparison
    from harness.results.find import find_run

    frame = compare_runs(find_run(base, out), find_run(head, out))
    print_comparison(frame, make_console())
    if frame["damaged"].any():
        for problem in frame.loc[frame["damaged"], "reason"].unique():
            typer.echo(f"error: {problem}", err=True)
        raise typer.Exit(ExitCode.USAGE)
    if frame.empty or not frame["comparable"].any():
        raise typer.Exit(ExitCode.NOT_COMPARABLE)
