"""The `harness` command: its sub-commands, and the one place where errors are printed."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from typing import NoReturn

import typer

import harness
from harness.cli import assets, compare, data, diff, doctor, explain, fit, listing, plan, report, run, schema, show
from harness.cli.console import take_every_character
from harness.errors import ExitCode, UserError, disk_is_full, printable, unexpected

INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C ended."""

app = typer.Typer(
    name="harness",
    help="Measure GPT language models: quality, speed and memory in one declarative suite.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("list")(listing.list_)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("diff")(diff.diff)
app.command("fit")(fit.fit)
app.command("explain")(explain.explain)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(assets.app, name="assets")
app.add_typer(data.app, name="data")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Measure GPT language models: quality, speed and memory in one declarative suite."""


def main() -> None:
    """Entry point of the `harness` command: runs it and exits with its code."""
    take_every_character()
    try:
        app(standalone_mode=True)
    except UserError as error:
        typer.echo(f"error: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `harness show latest | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.PASS)
    except OSError as error:
        if not disk_is_full(error) and error.errno not in (errno.EACCES, errno.EROFS):
            _unexpected(error)
        typer.echo(f"error: {error.filename or 'a file'}: {error.strerror}", err=True)
        sys.exit(ExitCode.USAGE)
    except Exception as error:
        _unexpected(error)


def _unexpected(error: Exception) -> NoReturn:
    """One sentence for what nobody foresaw; the traceback is for who mends it."""
    from harness.cache import cache_folder

    trace = printable("".join(traceback.format_exception(error)))
    try:
        log = cache_folder("log") / "traceback.txt"
        log.write_text(f"{printable(shlex.join(sys.argv))}\n{trace}", encoding="utf-8")
        kept = f"this is a fault of the harness; the traceback is in {log}"
    except (OSError, UserError):
        kept = f"this is a fault of the harness:\n{trace}"
    typer.echo(f"error: {unexpected('running this command', error, kept)}", err=True)
    sys.exit(ExitCode.USAGE)
