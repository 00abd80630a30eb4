"""How a command ends that read runs: with exit code 2 where something in them was damaged and had to be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.errors import ExitCode, UserError
from harness.notice import notice

if TYPE_CHECKING:
    from harness import Run


def end(run: Run) -> None:
    """Exit with 2 where something was left out of the run. What it was was told of where the run was found; a manifest
    that can't be read is told of here."""
    if not _can_be_read(run) or run.damage:
        raise typer.Exit(ExitCode.USAGE)


def end_of_cells(*runs: Run, code: ExitCode = ExitCode.PASS) -> None:
    """The same of a command that read cells and samples alone; where nothing of those was left out, exit with
    `code`."""
    whole = [_can_be_read(run) and not run.damage_of_cells for run in runs]
    if code is ExitCode.PASS and not all(whole):
        code = ExitCode.USAGE
    if code is not ExitCode.PASS:
        raise typer.Exit(code)


def _can_be_read(run: Run) -> bool:
    try:
        run.manifest, run.cells  # noqa: B018 - a damaged one raises
    except UserError as error:
        notice(str(error))
        return False
    return True
