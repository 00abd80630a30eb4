"""`harness report RUN`: analyse and write the reports again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console
from harness.cli.options import RUNS, Out, RunName


def report(
    run: RunName = "latest",
    out: Out = RUNS,
    lm_eval: Annotated[
        Path | None,
        typer.Option("--lm-eval", help="A folder for lm-eval's own files: results_*.json and samples_*.jsonl."),
    ] = None,
) -> None:
    """Analyse a run again from its cells and write summary.md and report.html; says where they lie."""
    from harness.execution.run import report_again
    from harness.report.lm_eval_files import write_lm_eval
    from harness.report.tables import print_places
    from harness.results.find import find_run

    found = report_again(find_run(run, out))
    print_places(found, make_console())
    for path in write_lm_eval(found, lm_eval) if lm_eval is not None else ():
        typer.echo(f" lm-eval  {path}")
