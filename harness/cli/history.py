"""`harness history METRIC`: a metric by commit; `add` adds runs, `list` says what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.helping import Listing, example
from harness.cli.options import RUNS, Out, check_target

if TYPE_CHECKING:
    from harness.history.entry import Entry
    from harness.history.folder import History

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
    from harness import strict_json
    from harness.errors import UserError, shown
    from harness.evidence.where_text import where_among
    from harness.history.chosen_rows import cells_of
    from harness.history.folder import read_history
    from harness.history.printed import print_found
    from harness.history.series import series
    from harness.history.series_json import as_csv, as_json

    if last is not None and last < 1:
        raise UserError("at least one point is needed", place="--last")
    if format_ not in ("table", "csv", "json"):
        raise UserError(f"is table, csv or json, not '{shown(format_)}'", place="--format")
    check_target(chart, "--chart")
    if chart is not None and chart.suffix not in (".svg", ".png"):
        raise UserError("a picture is a .svg or a .png file", place="--chart")
    found_there = read_history(history)
    meant = where_among(where or [], cells_of(found_there.table), "--where")
    found = series(found_there, metric, meant, suite=suite, machine=machine, branch=branch)
    if format_ == "table":
        print_found(found, make_console(), last)
    elif format_ == "csv":
        say(as_csv(found, last).rstrip("\n"))
    else:
        say(strict_json.dumps(as_json(found, last), indent=2))
    if chart is not None:
        from harness.history.trend_chart import trend_chart
        from harness.report.picture import write_pictures

        write_pictures({chart: trend_chart([one.last(last) for one in found.series]).to_dict()})
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
    from harness.history.entry import entry_of

    for entry in [entry_of(name, out) for name in runs]:
        keep(entry, history)


@app.command("list", epilog=example("harness history list"))
def list_(history: HistoryFolder = HISTORY) -> None:
    """List the metrics of a history, and the cells that `--where` can choose among."""
    from harness.history.folder import read_history
    from harness.history.printed import print_list

    found = read_history(history)
    print_list(found, make_console())
    end_of_history(found)


def check_history(history: Path | None) -> None:
    """Where a history can't be, that is said before anything is measured. Raises UserError."""
    from harness.errors import UserError

    if history is not None and history.exists() and not history.is_dir():
        raise UserError(f"{history} is a file; name a folder", place="--history")


def keep(entry: Entry, history: Path) -> None:
    """Add an entry, and say what became of it. Raises UserError."""
    from harness.history.entry import keep as keep_entry
    from harness.notice import notice

    for note in entry.notes:
        notice(note)
    kept = keep_entry(entry, history)
    if kept.rows is not None:
        one = len(entry.rows) == 1
        what = f"{len(entry.rows)} row{'' if one else 's'} of {entry.name} {'was' if one else 'were'}"
        said = f"{what} added" if kept.rows.is_new else f"{what} there already; nothing was added"
        say(f"history: {said} ({kept.rows.path})", to_stderr=True)
    if kept.verdict is not None:
        said = "was kept" if kept.verdict.is_new else "was there already"
        say(f"history: the verdict on {entry.name} {said} ({kept.verdict.path})", to_stderr=True)


def end_of_history(history: History, *, with_verdicts: bool = False) -> None:
    """Name what was left out of a history; exit with 2 where there is any."""
    from harness.errors import ExitCode
    from harness.notice import notice

    damage = [*history.damage, *(history.damage_of_verdicts if with_verdicts else ())]
    for sentence in (*damage, *history.notes):
        notice(sentence)
    if damage:
        raise typer.Exit(ExitCode.USAGE)
