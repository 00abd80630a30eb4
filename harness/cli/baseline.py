"""`harness baseline`: runs that are kept to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.helping import example
from harness.cli.options import BASELINES, RUNS, Out

if TYPE_CHECKING:
    from harness import Baseline, Move, Origin

app = typer.Typer(
    help="Runs that are kept to compare with: small enough to commit, and moved by `set` alone.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Dir = Annotated[Path, typer.Option("--dir", help="Folder that holds the baselines.")]
MUCH = 1_000_000
"""Bytes above which a baseline is said to be large."""


@app.command("set", epilog=example('harness baseline set latest --why "int8 is in"'))
def set_(
    run: Annotated[
        str,
        typer.Argument(
            help="A run folder, a run's name (or a part of it), or `latest`.", autocompletion=completing.runs
        ),
    ],
    why: Annotated[str, typer.Option("--why", help="Why, for the log.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the baseline; left out, the suite's.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who, for the log; left out, git's user.")] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Take a run that did not finish, or in which cells failed.")
    ] = False,
    dirty: Annotated[bool, typer.Option("--dirty", help="Take a run of code that is in no commit.")] = False,
    another_suite: Annotated[
        bool, typer.Option("--another-suite", help="Replace the baseline of another suite.")
    ] = False,
    folder: Dir = BASELINES,
    out: Out = RUNS,
) -> None:
    """Make a run the baseline of its suite: what comparing needs of it is copied, who and why goes into its log.

    Commit the folder then. Exit code 2 where the run makes no baseline; it stays what it was.
    """
    import harness

    made = harness.set_baseline(
        run,
        why=why,
        name=name,
        by=by,
        incomplete=incomplete,
        dirty=dirty,
        another_suite=another_suite,
        out=out,
        below=folder,
    )
    _print_one(made)
    say(f"\ncommit {made.folder}", to_stderr=True)


@app.command("list", epilog=example("harness baseline list"))
def list_(folder: Dir = BASELINES) -> None:
    """Print the baselines that are here. Exit code 2 where one is damaged, or was not moved by `set`."""
    import harness
    from harness.errors import ExitCode
    from harness.notice import notice
    from harness.number import NOTHING
    from harness.report.table import Column, Row, Table
    from harness.report.tables import print_table

    frame = harness.list_baselines(folder).astype(object)
    frame = frame.where(frame.notna(), None)
    if frame.empty:
        say(f"there is no baseline in {folder}; `harness baseline set RUN --why REASON` makes one", to_stderr=True)
        return
    columns = (*map(Column, ("baseline", "suite", "run", "commit", "set", "by", "why")), Column("moves", numeric=True))
    rows = [
        Row(
            (
                *(str(row[name] or NOTHING) for name in ("baseline", "suite", "run")),
                str(row["commit"] or NOTHING)[:12] + (" with changes" if row["dirty"] else ""),
                *(str(row[name] or NOTHING) for name in ("time", "who", "why")),
                str(row["moves"]),
            ),
            state="failed" if row["problem"] else "",
        )
        for row in frame.to_dict("records")
    ]
    print_table(Table(str(folder), columns, tuple(rows), ""), make_console())
    problems = [row for row in frame.to_dict("records") if row["problem"]]
    for row in problems:
        notice(f"baseline:{row['baseline']}: {row['problem']}")
    if problems:
        raise typer.Exit(ExitCode.USAGE)


@app.command("show", epilog=example("harness baseline show self"))
def show(
    name: Annotated[
        str | None, typer.Argument(help="The baseline; left out, the only one.", autocompletion=completing.baselines)
    ] = None,
    folder: Dir = BASELINES,
) -> None:
    """Print what a baseline is: the run, its commit, who set it, when and why. `harness show baseline:NAME` has its
    numbers."""
    import harness

    baseline = harness.open_baseline(name, folder)
    _print_one(baseline)
    _end(baseline)


@app.command("log", epilog=example("harness baseline log self"))
def log(
    name: Annotated[
        str | None, typer.Argument(help="The baseline; left out, the only one.", autocompletion=completing.baselines)
    ] = None,
    folder: Dir = BASELINES,
) -> None:
    """Print every move of a baseline, the last one first. Exit code 2 where the log is damaged."""
    import harness

    baseline = harness.open_baseline(name, folder)
    console = make_console()
    for number, move in enumerate(reversed(baseline.moves)):
        console.print("\n" * bool(number) + _move(move))
    _end(baseline)


def _print_one(baseline: Baseline) -> None:
    console, moves = make_console(), baseline.moves
    size = baseline.size
    say(f"baseline:{baseline.name}  {baseline.folder}  {size / 1e6:.2f} MB")
    if size > MUCH:
        say(f"  more than {MUCH / 1e6:.0f} MB is much to commit: fewer documents make it smaller", to_stderr=True)
    if moves:
        console.print(_move(moves[-1]))
        for sentence in moves[-1].dropped:
            console.print(f"  left out: {sentence}")


def _move(move: Move) -> str:
    lines = [
        f"  {move.number}. {_origin(move)}",
        f"  {move.time}  {move.who}",
        f"  {move.why}",
        f"  before: {'nothing' if move.number == 1 else 'not known' if move.before is None else _origin(move.before)}",
    ]
    return "\n".join([*lines, *(f"  damaged before: {sentence}" for sentence in move.damage)])


def _origin(origin: Origin) -> str:
    commit = "of no known commit" if origin.commit is None else f"of commit {origin.commit[:12]}"
    changes = " with changes" if origin.dirty else ""
    return f"run {origin.run} {commit}{changes}, suite {origin.suite} ({origin.suite_hash[:12]})"


def _end(baseline: Baseline) -> None:
    """Exit with 2 where the baseline or its log is damaged, which is told."""
    from harness.errors import ExitCode
    from harness.notice import notice

    if problem := baseline.problem:
        notice(f"{baseline.folder}: {problem}")
        raise typer.Exit(ExitCode.USAGE)
