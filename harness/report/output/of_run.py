"""A run as tables and as rows, or what is chosen of it; and the runs of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.output.choice import EVERYTHING, Choice, chosen_cells, chosen_rows
from harness.report.output.rows import Rows, rows_of
from harness.report.output.shapes import RECORDS, RUNS
from harness.report.output.written import Answer
from harness.report.results import in_plan_order, result_tables
from harness.report.terminal import failed_cells, runs_table, state_of, why_unread
from harness.results.record import CellResult
from harness.results.records_frame import column_names, row_of
from harness.results.run import Run


def run_answer(run: Run, choice: Choice = EVERYTHING) -> Answer:
    """What is chosen of a run. Raises UserError where nothing is."""
    cells = chosen_cells(in_plan_order(run), choice)
    tables = result_tables(run, cells, all_metrics=choice.wide or bool(choice.metrics), all_columns=choice.wide)
    if not choice.chooses and not why_unread(run):
        tables += finding_tables(run.findings)
        tables += [expectation_table(outcomes)] if (outcomes := run.expectations) else []
    return Answer(run.name, tables, run_rows(run, choice, cells))


def run_rows(run: Run, choice: Choice = EVERYTHING, cells: Sequence[CellResult] | None = None) -> Rows:
    """The records of a run, or of these cells of it."""
    every = in_plan_order(run)
    chosen = chosen_cells(every, choice) if cells is None else cells
    names = column_names([record for cell in chosen for record in cell.records])
    declared = [field.name for field in RECORDS.fields]
    after = [name for name in declared if name not in ("model", "measure")]
    own = [name for name in names if name not in declared]
    rows = _rows(run, chosen)
    among = rows if not choice.chooses else _rows(run, every)
    return rows_of(RECORDS, ["model", "measure", *own, *after], rows, wide=choice.wide, among=among)


def _rows(run: Run, cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    return [row_of(record) | run.told_of(cell) for cell in cells for record in cell.records]


def runs_answer(runs: Sequence[Run], choice: Choice = EVERYTHING) -> Answer:
    """The runs that are here, the newest last, or those that are chosen of them."""
    rows = [_run_row(run) for run in runs]
    chosen = chosen_rows(rows, choice.where)
    kept = [run for run, row in zip(runs, rows, strict=True) if row in chosen]
    names = [field.name for field in RUNS.fields]
    return Answer("Runs", [runs_table(kept)], rows_of(RUNS, names, chosen, wide=choice.wide))


def _run_row(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run.name, "folder": str(run.folder), "state": state_of(run)}
    if why := why_unread(run):
        return row | {"reason": str(why)}
    manifest = run.manifest
    return row | {
        "suite": manifest.suite,
        "cells": len(run.cells),
        "planned": len(manifest.expected),
        "failed": failed_cells(run),
        "seconds": manifest.seconds,
        "started": manifest.started,
        "commit": manifest.git.get("commit"),
        "reason": "; ".join(run.damage) or None,
    }
