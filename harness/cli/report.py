"""`harness report RUN`: analyze and write the reports again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.options import RUNS, Out, RunName


def report(
    run: RunName = "latest",
    out: Out = RUNS,
    lm_eval: Annotated[
        Path | None,
        typer.Option("--lm-eval", help="A folder for lm-eval's own files: results_*.json and samples_*.jsonl."),
    ] = None,
) -> None:
    """Analyze a run again from its cells and write summary.md and report.html; says where they lie.

    Exit code 2 where an analysis or a report fails, or something in the run is damaged.
    """
    from harness.notice import notice
    from harness.report.lm_eval_files import write_lm_eval
    from harness.report.terminal import print_places
    from harness.results.exit_code import report_exit_code
    from harness.results.find import find_run
    from harness.workflow import report_again

    made = report_again(find_run(run, out))
    for sentence in made.damage:
        notice(sentence)
    console = make_console()
    for problem in (*made.manifest.problems, *(finding.note for finding in made.findings if finding.failed)):
        console.print(f"warning: {problem}", style="yellow")
    print_places(made.folder, console)
    for path in write_lm_eval(made, lm_eval) if lm_eval is not None else ():
        say(f" lm-eval  {path}")
    raise typer.Exit(report_exit_code(made))
