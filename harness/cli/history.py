"""`harness history METRIC`: a metric by commit; `add` adds runs, `list` says what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.helping import Listing, example
from harness.cli.options import RUNS, Out

if TYPE_CHECKING:
    from harness import Entry, History, Run

HISTORY = Path("results/history")
HistoryFolder = Annotated[Path, typer.Option("--history", help="Folder of the history.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", "-w", help="Which cells, such as precision=int4; may be said again.")
]


class Metrics(Listing):
    """Its commands, or a metric by itself: `harness history decode_rate` shows it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` before what is no command."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Metrics,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A metric by commit: `harness history METRIC`. `add` adds runs, `list` says what can be asked for.",
)


@app.command("show", epilog=example("harness history show decode_rate --last 20"))
def show(
    metric: Annotated[str, typer.Argument(help="Its name, or with its version: bits_per_byte@2.")],
    where: Where = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Of this suite alone.")] = None,
    machine: Annotated[
        str | None, typer.Option("--machine", help="Of machines of this class alone (its beginning is enough).")
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", help="Whose history it is; left out, the one that is checked out.")
    ] = None,
    last: Annotated[int | None, typer.Option("--last", help="Only so many points of each series.")] = None,
    format_: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    chart: Annotated[Path | None, typer.Option("--chart", help="Draw it there, too: a .svg or a .png file.")] = None,
    history: HistoryFolder = HISTORY,
) -> None:
    """Show a metric by commit, with the places where its level changed. Nothing is gated: exit code 0; 2 for bad input
    and where a file of the history is damaged: the rest is shown."""
    import harness
    from harness import strict_json
    from harness.errors import UserError, shown
    from harness.history.printed import print_found
    from harness.history.series_json import as_csv, as_json

    if last is not None and last < 1:
        raise UserError("at least one point is needed", place="--last")
    if format_ not in ("table", "csv", "json"):
        raise UserError(f"is table, csv or json, not '{shown(format_)}'", place="--format")
    harness.check_picture(chart)
    found_there = harness.read_history(history)
    found = harness.series(found_there, metric, where or (), suite=suite, machine=machine, branch=branch)
    if format_ == "table":
        print_found(found, make_console(), last)
    elif format_ == "csv":
        say(as_csv(found, last).rstrip("\n"))
    else:
        say(strict_json.dumps(as_json(found, last), indent=2))
    if chart is not None:
        harness.draw_series(found, chart, last)
    end_of_history(found_there)


@app.command("add", epilog=example("harness history add latest"))
def add(
    runs: Annotated[
        list[str],
        typer.Argument(help="Run folders, names of runs, or folders of `ci` and `ab`.", autocompletion=completing.runs),
    ],
    history: HistoryFolder = HISTORY,
    out: Out = RUNS,
) -> None:
    """Add runs, and what `harness ci` and `harness ab` measured, to a history. What is there is not added twice."""
    import harness

    for entry in [harness.entry_of(name, out) for name in runs]:
        keep(entry, history)


@app.command("list", epilog=example("harness history list"))
def list_(history: HistoryFolder = HISTORY) -> None:
    """List the metrics of a history, and the cells that `--where` can choose among."""
    import harness
    from harness.history.printed import print_list

    found = harness.read_history(history)
    print_list(found, make_console())
    end_of_history(found)


def keep(what: Run | Path | Entry, history: Path) -> None:
    """Add what was measured to a history, and say what became of it. Raises UserError."""
    import harness
    from harness.notice import notice

    kept = harness.add_to_history(what, history)
    for note in kept.entry.notes:
        notice(note)
    for sentence in kept.sentences:
        say(f"history: {sentence}", to_stderr=True)


def end_of_history(history: History, *, with_verdicts: bool = False) -> None:
    """Name what was left out of a history; exit with 2 where there is any."""
    from harness.errors import ExitCode
    from harness.notice import notice

    damage = [*history.damage, *(history.damage_of_verdicts if with_verdicts else ())]
    for sentence in (*damage, *history.notes):
        notice(sentence)
    if damage:
        raise typer.Exit(ExitCode.USAGE)
