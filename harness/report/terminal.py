"""A report in the terminal, and the list of runs.

Everything that comes from a run is printed as `Text`, never as markup: a reason may hold brackets, a name colons.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.notice import notice, was_told
from harness.number import Shown, duration
from harness.report.environment import warnings
from harness.report.making import of_run
from harness.report.report import Report
from harness.report.results import result_tables
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table
from harness.results.record import Status
from harness.results.run import Run
from harness.results.run_folder import HTML, MARKDOWN, RECORDS
from harness.results.schema_version import LaterVersion

if TYPE_CHECKING:
    from rich.console import Console


def print_report(report: Report, console: Console) -> None:
    """A table per measure, findings, expectations, the machine, and where it lies."""
    from rich.text import Text

    console.print(Text.assemble((report.title, "bold"), "  ", report.about))
    for table in (*report.results, *report.findings):
        print_table(table, console)
    if report.expectations is not None:
        print_table(report.expectations, console)
    console.print()
    console.print(Text(report.summary, style="dim"))
    for warning in report.warnings:
        if was_told(warning):  # on stderr, when the run was found
            continue
        console.print(Text(f"warning: {warning}", style="yellow"))
    if report.origin is not None:
        print_places(report.origin.folder, console)


def print_run(run: Run, console: Console) -> None:
    """The report of a run folder; of one whose manifest can't be read, what its cells say."""
    if not (why := why_unread(run)):
        print_report(of_run(run), console)
        return
    for table in result_tables(run):
        print_table(table, console)
    notice(str(why))


def tell_warnings(run: Run) -> None:
    """What a reader must know before believing the numbers, beside stdout."""
    if not why_unread(run):
        for warning in warnings(run):
            notice(warning)


def print_places(folder: Path, console: Console) -> None:
    """Where the files of a run folder lie."""
    from rich.text import Text

    for name in (HTML, MARKDOWN, RECORDS):
        if (folder / name).exists():
            # soft_wrap keeps a long path in one piece, so that it can be copied
            console.print(Text(f"{name.partition('.')[0]:>8}  {folder / name}"), soft_wrap=True)


def print_runs(runs: Sequence[Run], console: Console) -> None:
    """The runs that are here, the newest last; a corrupted one is a line, not the end of the list."""
    if not runs:
        console.print("no runs here yet; `harness run quickstart` makes one", highlight=False)
        return
    print_table(runs_table(runs), console)


def runs_table(runs: Sequence[Run]) -> Table:
    """A row for each run; what is wrong with one stands below."""
    columns = [Column(name) for name in ("run", "suite", "state")]
    columns += [Column(name, numeric=True) for name in ("cells", "failed", "took")]
    notes = tuple(str(why) for run in runs if (why := why_unread(run)))
    notes += tuple(sentence for run in runs if not why_unread(run) for sentence in run.damage)
    rows = tuple(Row(_listed(run)) for run in runs)
    return Table("Runs", tuple(columns), rows, "harness show NAME", notes)


def why_unread(run: Run) -> UserError | None:
    """None where the run can be read."""
    try:
        run.manifest, run.cells  # noqa: B018 - read here for the first time
    except UserError as error:
        return error
    return None


def _listed(run: Run) -> tuple[str | Shown, ...]:
    if why_unread(run):
        return run.name, "", state_of(run), "", "", ""
    manifest = run.manifest
    cells = Shown(f"{len(run.cells)} of {len(manifest.expected)}")
    failing, took = Shown(str(failed_cells(run) or "")), Shown(duration(manifest.seconds))
    return run.name, manifest.suite, state_of(run), cells, failing, took


def state_of(run: Run) -> str:
    """Whether it is finished, and whether it can be believed."""
    if why := why_unread(run):
        return "of a later version" if isinstance(why, LaterVersion) else "corrupted"
    return run.status + (", damaged" if run.damage else "") + (", unchecked" if run.unchecked else "")


def failed_cells(run: Run) -> int:
    """Cells in which something failed."""
    return sum(not cell.whole and cell.status is not Status.SKIPPED for cell in run.cells)
