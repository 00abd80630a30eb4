"""The road of every command that runs a suite, `run` and the one-liners: live progress, the report's tables, what an
interrupted run is gone on with, and the exit code."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from harness.cli.console import make_console, say
from harness.cli.formats import put, put_text
from harness.cli.interrupting import as_ctrl_c, first_cleanly_second_at_once
from harness.cli.next_steps import next_steps
from harness.errors import UserError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness import OnEvent, Results, Run, Target
    from harness.report.output.written import Format

Measured = TypeVar("Measured", bound="Results")


def run_and_print(
    measured: Callable[[OnEvent], Measured],
    *,
    history: Path | None = None,
    log_to: Sequence[str] = (),
    save_suite: Path | None = None,
    options: Mapping[str, str] | None = None,
    goes_on: str = "",
    format: Format,
) -> Measured:
    """Measure with live progress, and print the report. Interrupted, it says how to go on.

    measured: a call of the Python face, such as `harness.run`, that tells its events to what it is given. history: a
    folder that what was measured is added to. log_to: trackers that are told of it (`wandb:DIR`). save_suite: the file
    that the call writes its suite to. options: of a one-liner, what keys of its suite are called there. goes_on: the
    command that goes on with it, where `harness run --resume` does not with all of it. format: of what goes to stdout;
    where that is no table, all else goes to stderr. Raises UserError for bad input; exit with `.exit_code`."""
    from harness.cli.progress import RunProgress
    from harness.report.output.written import Format
    from harness.report.terminal import print_places, print_report
    from harness.shorthand.in_options import told_in_options

    as_ctrl_c()
    first_cleanly_second_at_once("ending: what was measured is kept (again to end at once)")
    trackers = checked_trackers(history, log_to)
    is_data = format is not Format.TABLE
    console = make_console(to_stderr=is_data)
    progress = RunProgress(console)
    try:
        with progress, nullcontext() if options is None else told_in_options(options):
            results = measured(progress)
    except KeyboardInterrupt:
        if progress.folder:
            kept = f"{progress.ended} of {progress.total} cells are kept"
            again = goes_on or f"harness run --resume {shlex.quote(progress.folder)}"
            typer.echo(f"{kept}; resume with: {again}", err=True)
        raise
    if is_data:
        put_results(results, format)
        print_places(results.folder, console)
    elif results.made is not None:
        print_report(results.made, console)
    else:
        for problem in results.manifest.problems:
            console.print(f"warning: {problem}", style="yellow")
        print_places(results.folder, console)
    if save_suite is not None:
        say(f"   suite  {save_suite}", to_stderr=is_data)
    for step in () if is_data else next_steps(results, results.folder.parent):
        say(f"    next  {step}")
    pass_on(results, history, trackers)
    return results


def put_results(results: Results, format: Format) -> None:
    """Print a run as data: its records as CSV or JSON, its report as Markdown or HTML. What could not be made is told
    of on stderr."""
    from harness.notice import notice
    from harness.report.html import html
    from harness.report.markdown import markdown
    from harness.report.output.of_run import run_answer
    from harness.report.output.written import Format

    for problem in results.manifest.problems:
        notice(problem)
    if results.made is not None and format in (pages := {Format.MD: markdown, Format.HTML: html}):
        put_text(pages[format](results.made))
    else:
        put(run_answer(results), format)


def checked_trackers(history: Path | None, log_to: Sequence[str]) -> list[Target]:
    """What `--log-to` names. Raises UserError where one of them, or the history, can't be: before anything is
    measured."""
    import harness

    harness.check_history(history)
    return [harness.find_tracker(text) for text in log_to]


def pass_on(run: Run, history: Path | None, trackers: Sequence[Target]) -> None:
    """Add a run to a history, where one is named, and tell the trackers of it; what became of it is said. A tracker
    that fails is a warning: the run stands."""
    import harness
    from harness.notice import notice

    if history is not None:
        from harness.cli.history import keep

        keep(run, history)
    for target in trackers:
        try:
            say(f"logged to {target.tracker.name}: {harness.log_run(run, to=target)}", to_stderr=True)
        except UserError as error:
            notice(str(error))


def typed() -> str:
    """The command as it was typed: the first line of a suite that stands for it."""
    return printable(shlex.join(["harness", *sys.argv[1:]]))
