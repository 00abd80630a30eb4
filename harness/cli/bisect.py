"""`harness bisect METRIC`: the commits between two points, and the `git bisect` commands that find the one."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import make_console
from harness.cli.history import HISTORY, HistoryFolder, Where, end_of_history


def bisect(
    metric: Annotated[str, typer.Argument(help="Its name, or with its version: bits_per_byte@2.")],
    good: Annotated[
        str | None, typer.Option("--good", help="A commit before the step; left out, that of the last step found.")
    ] = None,
    bad: Annotated[str | None, typer.Option("--bad", help="A commit behind it.")] = None,
    where: Where = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Of this suite alone.")] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="Of machines of this class alone.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", help="Whose history it is.")] = None,
    history: HistoryFolder = HISTORY,
) -> None:
    """Name the commits between two points of a metric, and write the `git bisect` commands that find which one it was,
    decided by `harness ab`. Nothing is run.

    Exit code 2: no git, no such commit, no step, or a damaged file of the history.
    """
    import harness
    from harness.history.printed import print_bisection

    found = harness.read_history(history)
    bisection = harness.bisect(
        found, metric, where or (), good=good, bad=bad, suite=suite, machine=machine, branch=branch
    )
    print_bisection(bisection, make_console())
    end_of_history(found)
