"""`harness site DIR`: a static site over the history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say


def site(
    folder: Annotated[Path, typer.Argument(help="Folder of the site: a new or empty one, or an earlier site.")],
    history: Annotated[Path, typer.Option("--history", help="Folder of the history.")] = Path("results/history"),
    suite: Annotated[str | None, typer.Option("--suite", help="Only the runs of this suite.")] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", help="Whose history the trends are of (default: the one checked out).")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What the pages are headed.")] = "Benchmark history",
    repository: Annotated[
        str | None,
        typer.Option(
            "--repository", help="Web address of the repository, for links to commits; `{commit}` may stand in it."
        ),
    ] = None,
) -> None:
    """Write a site over the history: runs, trends, comparisons, the frontier and verdicts. It opens from disk.

    Exit code 2 where files of the history are damaged: the site has the others, and names these.
    """
    import harness
    from harness.errors import ExitCode
    from harness.notice import notice

    read = harness.write_site(folder, history, title=title, repository=repository, suite=suite, branch=branch)
    damage = (*read.damage, *read.damage_of_verdicts)
    for sentence in (*damage, *read.notes):
        notice(sentence)
    say(f" site  {folder / 'index.html'}")
    if damage:
        raise typer.Exit(ExitCode.USAGE)
