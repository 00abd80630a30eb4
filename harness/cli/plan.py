"""`harness plan SUITE`: what would run, what is known already, and what it would take."""

from __future__ import annotations

from typing import Annotated

import typer


def plan(suite: Annotated[str, typer.Argument(help="A suite file or a shipped suite's name.")]) -> None:
    """Print the cells of a suite, what is cached, and an estimate of time and memory. Nothing is run."""
    from rich.console import Console

    from harness.execution.estimate import plan_frame
    from harness.execution.plan import make_plan
    from harness.report.plan import print_plan
    from harness.suite.load import load_suite

    print_plan(plan_frame(make_plan(load_suite(suite))), Console())
