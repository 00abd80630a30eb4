"""`harness run SUITE`: measure, and say where the report lies."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.interrupting import as_ctrl_c
from harness.cli.options import RUNS, AddTo, AllowCodeExecution, AllowTaskCode, LogTo, Out, TasksPath


def run(
    suite: Annotated[
        str, typer.Argument(help="A suite file, a shipped suite's name, or (with --resume) a run folder.")
    ],
    out: Out = RUNS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last unfinished run of this suite.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what is known from earlier runs.")] = False,
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Neither take results of cells from the cache nor keep them there."),
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with a hub model. Read it first.")
    ] = False,
    tasks_path: TasksPath = None,
    allow_task_code: AllowTaskCode = False,
    allow_code_execution: AllowCodeExecution = False,
    history: AddTo = None,
    log_to: LogTo = None,
) -> None:
    """Run a suite: measure every cell, print the tables, write the report.

    Exit code 0: all expectations met; 1: one is unmet; 2: bad input, something failed, or every cell was skipped;
    3: one is undecided.
    """
    from harness.cli.history import check_history, keep
    from harness.cli.progress import RunProgress
    from harness.execution.allowed import Allowed
    from harness.interchange.trackers.target import log_all, target
    from harness.report.terminal import print_places, print_report
    from harness.results.exit_code import exit_code
    from harness.workflow import run_and_report

    as_ctrl_c()
    check_history(history)
    trackers = [target(text, "--log-to") for text in log_to or ()]
    allowed = Allowed(trust_remote_code, allow_task_code, allow_code_execution, tuple(tasks_path or ()))
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
                allowed=allowed,
                on_event=progress,
            )
    except KeyboardInterrupt:
        if progress.folder:
            typer.echo(f"interrupted; go on with: harness run --resume {progress.folder}", err=True)
        raise
    if concluded.report is not None:
        print_report(concluded.report, console)
    else:
        for problem in concluded.run.manifest.problems:
            console.print(f"warning: {problem}", style="yellow")
        print_places(concluded.run.folder, console)
    if history is not None:
        from harness.history.entry import entry_of_run

        keep(entry_of_run(concluded.run), history)
    for sentence in log_all(concluded.run, trackers):
        say(sentence, to_stderr=True)
    raise typer.Exit(exit_code(concluded.run))
