"""The road of every command that runs a suite, `run` and the one-liners: live progress, the report's tables, what an
interrupted run is gone on with, and the exit code."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.console import make_console, say
from harness.cli.interrupting import as_ctrl_c, first_cleanly_second_at_once
from harness.cli.next_steps import next_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from harness.execution.allowed import Allowed
    from harness.results.run import Run
    from harness.suite.load import SuiteLike


def run_and_print(
    suite: SuiteLike,
    *,
    out: Path,
    resume: bool = False,
    fresh: bool = False,
    no_cache: bool = False,
    allowed: Allowed | None = None,
    history: Path | None = None,
    log_to: Sequence[str] = (),
) -> Run:
    """Run a suite as `harness run` does, with live progress, and print its report. Interrupted, it says how to go on.
    history: a folder that what was measured is added to.
    log_to: trackers that are told of it (`wandb:DIR`). Raises UserError for bad input; exit with `exit_code(run)`."""
    from harness.cli.history import check_history, keep
    from harness.cli.progress import RunProgress
    from harness.execution.allowed import NOTHING_MORE
    from harness.interchange.trackers.target import log_all, target
    from harness.report.terminal import print_places, print_report
    from harness.workflow import run_and_report

    as_ctrl_c()
    first_cleanly_second_at_once("ending: what was measured is kept (again to end at once)")
    check_history(history)
    trackers = [target(text, "--log-to") for text in log_to]
    console = make_console()
    progress = RunProgress(console)
    try:
        with progress:
            concluded = run_and_report(
                suite,
                out=out,
                resume=resume,
                fresh=fresh,
                cached=not no_cache,
                allowed=allowed or NOTHING_MORE,
                on_event=progress,
            )
    except KeyboardInterrupt:
        if progress.folder:
            kept = f"{progress.ended} of {progress.total} cells are kept"
            typer.echo(f"{kept}; resume with: harness run --resume {shlex.quote(progress.folder)}", err=True)
        raise
    if concluded.report is not None:
        print_report(concluded.report, console)
    else:
        for problem in concluded.run.manifest.problems:
            console.print(f"warning: {problem}", style="yellow")
        print_places(concluded.run.folder, console)
    for step in next_steps(concluded.run, out):
        say(f"    next  {step}")
    if history is not None:
        from harness.history.entry import entry_of_run

        keep(entry_of_run(concluded.run), history)
    for sentence in log_all(concluded.run, trackers):
        say(sentence, to_stderr=True)
    return concluded.run


def save_as_asked(suite: Mapping[str, Any], path: Path | None) -> None:
    """`--save-suite FILE` of a one-liner: the suite that it stands for, under the command that was typed. Raises
    UserError where it can't be written."""
    from harness.errors import printable
    from harness.shorthand.written import save_suite

    if path is None:
        return
    save_suite(suite, path, printable(shlex.join(["harness", *sys.argv[1:]])))
    say(f" suite    {path}")
