"""`harness doctor`: what this machine is, what it can do, and what is missing."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure the peaks if they are not known.")
    ] = True,
) -> None:
    """Print the fingerprint, the measured peaks, the threads, and what is missing and how to install it."""
    from rich.console import Console

    from harness.execution.doctor import examine
    from harness.report.doctor import print_examination

    print_examination(examine(measure=measure), Console())
