"""The terminal's view of a run, with rich.

Everything that comes from a run is printed as `Text`, never as markup: a reason may hold brackets, a name colons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.notice import notice, was_told
from harness.number import Shown, duration
from harness.report.environment import summary, warnings
from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.report.table import Column, Row, Table
from harness.report.table_layout import laid_out
from harness.results.record import Status
from harness.results.run import Run
from harness.results.run_folder import HTML, MARKDOWN, RECORDS

if TYPE_CHECKING:
    from rich.console import Console


def print_run(run: Run, console: Console) -> None:
    """Everything that a run found: a table per measure, findings, expectations, the machine, and where it lies."""
    from rich.text import Text

    unreadable = _why_corrupted(run)
    if not unreadable:
        console.print(Text.assemble((run.manifest.suite, "bold"), "  ", run.manifest.about))
    for table in result_tables(run):
        print_table(table, console)
    if unreadable:  # what the cells say is shown all the same
        notice(unreadable)
        return
    for table in finding_tables(run.findings):
        print_table(table, console)
    if run.expectations:
        print_table(expectation_table(run.expectations), console)
    console.print()
    console.print(Text(summary(run), style="dim"))
    for warning in warnings(run):
        if was_told(warning):  # on stderr, when the run was found
            continue
        console.print(Text(f"warning: {warning}", style="yellow"))
    print_places(run, console)


def print_places(run: Run, console: Console) -> None:
    """Where a run's files lie."""
    from rich.text import Text

    for name in (HTML, MARKDOWN, RECORDS):
        if (run.folder / name).exists():
            # soft_wrap keeps a long path in one piece, so that it can be copied
            console.print(Text(f"{name.partition('.')[0]:>8}  {run.folder / name}"), soft_wrap=True)


def print_runs(runs: Sequence[Run], console: Console) -> None:
    """The runs that are here, the newest last; a corrupted one is a line, not the end of the list."""
    if not runs:
        console.print("no runs here yet; `harness run quickstart` makes one", highlight=False)
        return
    columns = [Column(name) for name in ("run", "suite", "state")]
    columns += [Column(name, numeric=True) for name in ("cells", "failed", "took")]
    notes = tuple(why for run in runs if (why := _why_corrupted(run)))
    notes += tuple(sentence for run in runs if not _why_corrupted(run) for sentence in run.damage)
    rows = tuple(Row(_listed(run)) for run in runs)
    print_table(Table("Runs", tuple(columns), rows, "harness show NAME", notes), console)


def _why_corrupted(run: Run) -> str:
    """Empty where the run can be read."""
    try:
        run.manifest, run.cells  # noqa: B018 - read here for the first time
    except UserError as error:
        return str(error)
    return ""


def _listed(run: Run) -> tuple[str | Shown, ...]:
    if _why_corrupted(run):
        return run.name, "", "corrupted", "", "", ""
    manifest = run.manifest
    failed = sum(not cell.whole and cell.status is not Status.SKIPPED for cell in run.cells)
    cells = Shown(f"{len(run.cells)} of {len(manifest.cells)}")
    failing, took = Shown(str(failed or "")), Shown(duration(manifest.seconds))
    state = manifest.status + (", damaged" if run.damage else "") + (", unchecked" if run.unchecked else "")
    return run.name, manifest.suite, state, cells, failing, took


def print_table(table: Table, console: Console) -> None:
    """One table with its caption and notes."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    # not as the rich table's own title, which would be folded to the table's width
    console.print(Text.assemble((table.title, "bold"), "  ", (table.caption, "dim")))
    for part in laid_out(table, console.width):
        console.print(part)
    for note in table.notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False))
