"""`harness report RUN`: analyse and write the reports again."""

from __future__ import annotations

from harness.cli.console import make_console
from harness.cli.options import RUNS, Out, RunName


def report(run: RunName = "latest", out: Out = RUNS) -> None:
    """Analyse a run again from its cells and write summary.md and report.html; says where they lie."""
    from harness.execution.run import report_again
    from harness.report.tables import print_places
    from harness.results.find import find_run

    print_places(report_again(find_run(run, out)), make_console())
