"""The exit code of a run: what its outcomes, its cells and its files come to."""

from __future__ import annotations

from harness.errors import ExitCode, UserError
from harness.results.finding import Outcome
from harness.results.record import Status
from harness.results.run import Run


def exit_code(run: Run) -> ExitCode:
    """0 pass; 1 an expectation is unmet; 2 a cell (or a part of it, an analysis, a report) failed, every cell was
    skipped, the run did not finish, or something in its folder is damaged; 3 an expectation is undecided."""
    outcomes = {item.outcome for item in run.expectations}
    if Outcome.UNMET in outcomes:
        return ExitCode.UNMET
    if has_failed(run):
        return ExitCode.USAGE
    if run.cells and all(cell.status is Status.SKIPPED for cell in run.cells):
        return ExitCode.USAGE
    if report_exit_code(run) is not ExitCode.PASS:
        return ExitCode.USAGE
    if run.manifest.status != "finished":
        return ExitCode.USAGE
    return ExitCode.INCONCLUSIVE if Outcome.UNDECIDED in outcomes else ExitCode.PASS


def report_exit_code(run: Run) -> ExitCode:
    """2 where an analysis failed, a report could not be written or something in the folder is damaged, else 0."""
    failed = any(finding.failed for finding in run.findings) or bool(run.manifest.problems or run.damage)
    return ExitCode.USAGE if failed else ExitCode.PASS


def has_failed(run: Run) -> bool:
    """Whether a cell would be tried again; False where the cells of the run can't be read."""
    try:
        failed = any(not cell.whole and cell.status is not Status.SKIPPED for cell in run.cells)
        return failed or bool(run.damage)
    except UserError:
        return False
