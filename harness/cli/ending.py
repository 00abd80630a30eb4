"""How a command ends that read runs: with exit code 2 where something in them was damaged and had to be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.errors import ExitCode, UserError
from harness.notice import notice

if TYPE_CHECKING:
    from harness.results.run import Run


def end(*runs: Run, code: ExitCode = ExitCode.PASS) -> None:
    """Exit with `code`; where that says that all is well and something was left out of the runs, with 2. What was left
    out was told of where the run was found; a manifest that can't be read is told of here."""
    whole = [_whole(run) for run in runs]
    if code is ExitCode.PASS and not all(whole):
        code = ExitCode.USAGE
    if code is not ExitCode.PASS:
        raise typer.Exit(code)


def _whole(run: Run) -> bool:
    try:
        run.manifest, run.cells  # noqa: B018 - a damaged one raises
    except UserError as error:
        notice(str(error))
        return False
    return not run.damage
