"""`harness run SUITE`: measure, and say where the report lies."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.formats import FormatName
from harness.cli.options import (
    RUNS,
    AddTo,
    AllowCodeExecution,
    AllowTaskCode,
    Fresh,
    LogTo,
    NoCache,
    Out,
    Resume,
    TasksPath,
    TrustRemoteCode,
)


def run(
    suite: Annotated[
        str,
        typer.Argument(
            help="A suite file, a shipped suite's name, or (with --resume) a run folder.",
            autocompletion=completing.suites,
        ),
    ],
    out: Out = RUNS,
    resume: Resume = False,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    trust_remote_code: TrustRemoteCode = False,
    tasks_path: TasksPath = None,
    allow_task_code: AllowTaskCode = False,
    allow_code_execution: AllowCodeExecution = False,
    history: AddTo = None,
    log_to: LogTo = None,
    format_: FormatName = "table",
) -> None:
    """Run a suite: measure every cell, print the tables, write the report.

    Exit code 0: all expectations met; 1: one is unmet; 2: bad input, something failed, or every cell was skipped;
    3: one is undecided.
    """
    import harness
    from harness.cli.running import run_and_print
    from harness.report.output.written import format_of

    format = format_of(format_)
    allowed = harness.Allowed(trust_remote_code, allow_task_code, allow_code_execution, tuple(tasks_path or ()))
    results = run_and_print(
        lambda on_event: harness.run(
            suite, out=out, resume=resume, fresh=fresh, cached=not no_cache, allowed=allowed, on_event=on_event
        ),
        history=history,
        log_to=log_to or (),
        format=format,
    )
    raise typer.Exit(results.exit_code)
