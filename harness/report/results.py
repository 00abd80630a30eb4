"""The results of a run as tables: one per measure, a row per cell, a column per metric with its interval.

What all rows share (device, threads, the text) goes into the caption; what differs becomes a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.evidence.definition import why_no_ranking
from harness.evidence.selection import ENDED, coordinates, describe, varying, varying_within_models
from harness.evidence.value_text import label, text
from harness.measures.side_by_side import NAME as SIDE_BY_SIDE
from harness.number import NOTHING, Scale, Shown, scale, shown
from harness.report.charts import RUN_CHARTS
from harness.report.side_by_side import side_by_side_table
from harness.report.table import Column, Row, Table
from harness.results.record import CellResult, Direction, Record, Scalar, Status
from harness.results.run import Run

SHORT = {Status.FAILED: "failed", Status.OUT_OF_MEMORY: "out of memory", Status.SKIPPED: "skipped"}


def result_tables(
    run: Run, cells: Sequence[CellResult] | None = None, *, all_metrics: bool = False, all_columns: bool = False
) -> list[Table]:
    """A table per measure in the plan's order; tasks with other metrics (by choice, written) have their own.

    cells: these alone. all_metrics: details too. all_columns: also settings that all cells share.
    """
    groups: dict[str, list[list[CellResult]]] = {}
    for cell in in_plan_order(run) if cells is None else cells:
        _put(cell, groups.setdefault(cell.measure, []))
    found = []
    for measure, tables in groups.items():
        if measure == SIDE_BY_SIDE:
            found.append(side_by_side_table([cell for cells in tables for cell in cells], all_columns=all_columns))
            continue
        first, *others = [_table(measure, mine, all_metrics, all_columns) for mine in tables]
        charts = tuple(chart.name for chart in RUN_CHARTS if chart.measure == measure)
        found += [replace(first, charts=charts), *others]
    return found


def _put(cell: CellResult, tables: list[list[CellResult]]) -> None:
    """Add a cell to the table of its measure and its metrics; one that has none goes where its task is."""
    mine = set(_shown_metrics(cell.measure, [cell]))
    for cells in tables:
        theirs = set(_shown_metrics(cell.measure, cells))
        alike = any(other.settings.get("task") == cell.settings.get("task") for other in cells)
        if "task" not in cell.settings or mine == theirs or ((not mine or not theirs) and alike):
            cells.append(cell)
            return
    tables.append([cell])


def in_plan_order(run: Run) -> list[CellResult]:
    """The cells in the order in which the suite plans them, whatever order they were measured in."""
    place = {key: number for number, key in enumerate(run.planned)}
    return sorted(run.cells, key=lambda cell: place.get(cell.planned_key, len(place)))


def _table(measure: str, cells: Sequence[CellResult], all_metrics: bool, all_columns: bool) -> Table:
    differing = [name for name in varying(cells) if name != "model"]
    # a setting that only differs from model to model tells no two cells of one apart: it is told below the table,
    # but for the text, without which qualities can't be read
    columned = {*varying_within_models(cells), "text"}
    names = ["model", *(name for name in differing if name in columned)]
    parted = any(record.part is not None for cell in cells for record in cell.records)
    told = [name for name in differing if name not in columned]
    settled = _settled(cells)
    names += [name for name, values in settled.items() if len(values) > 1 and name not in names]
    if all_columns:
        places = [coordinates(cell) | cell.resolved for cell in cells]
        names = [name for name in dict.fromkeys(name for at in places for name in at) if name != "measure"]
        differing, told, settled = names, [], {}
    metrics = _shown_metrics(measure, cells, all_metrics)
    of = {metric: [r for cell in cells for r in cell.records if r.metric == metric] for metric in metrics}
    scales = {metric: scale([record.value for record in of[metric]], of[metric][0].unit) for metric in metrics}
    columns = [Column(name.replace("_", " ")) for name in (*names, *(["part"] if parted else []))]
    columns += [Column(metric.replace("_", " "), scales[metric].unit, numeric=True) for metric in metrics]
    rows = tuple(row for cell in cells for row in _rows(cell, names, parted, metrics, scales))
    return Table(
        measure, tuple(columns), rows, _caption(cells, differing, settled), _notes(cells, metrics, names, told)
    )


def _shown_metrics(measure: str, cells: Sequence[CellResult], all_metrics: bool = False) -> list[str]:
    """Names of the metrics that become columns: a detail does only where it counts what went wrong, or where all are
    wanted."""
    from harness.measures.registry import metrics_of

    # a task file's own metric may have the name of one of ours, and then another unit
    details = {(metric.id, metric.unit) for metric in metrics_of(measure) if metric.detail}
    found: dict[str, None] = {}
    for record in (record for cell in cells for record in cell.records):
        counted = record.unit in ("documents", "bytes") and record.direction is Direction.LOWER
        went_wrong = counted and (record.value or 0) > 0
        if record.metric and (all_metrics or (record.metric_id, record.unit) not in details or went_wrong):
            found[record.metric] = None
    return list(found)


def _rows(
    cell: CellResult, names: list[str], parted: bool, metrics: list[str], scales: dict[str, Scale]
) -> Iterator[Row]:
    """A row for the cell, and one for each of its parts where metrics have several values."""
    at = coordinates(cell) | cell.resolved
    lead = [text(at.get(name)) for name in names]
    if cell.status is not Status.OK:
        numbers = [Shown(SHORT[cell.status] if number == 0 else NOTHING) for number in range(len(metrics))]
        state = "skipped" if cell.status is Status.SKIPPED else "failed"
        yield Row((*lead, *([NOTHING] if parted else []), *numbers), cell.model, state)
        return
    for part in dict.fromkeys(record.part for record in cell.records):
        by_metric: dict[str | None, Record] = {r.metric: r for r in cell.records if r.part == part}
        numbers = [_number(by_metric.get(metric), scales[metric]) for metric in metrics]
        yield Row((*lead, *([text(part)] if parted else []), *numbers), cell.model, "")


def _number(record: Record | None, scale: Scale) -> Shown:
    return Shown(NOTHING) if record is None else shown(record.value, record.low, record.high, scale)


def _title(cell: CellResult, names: Sequence[str]) -> str:
    at = coordinates(cell)
    return describe({name: at[name] for name in names if name in at})


def _settled(cells: Sequence[CellResult]) -> dict[str, list[Scalar]]:
    """What models settled where the settings left it open, each with its different values."""
    found: dict[str, dict[Scalar, None]] = {}
    whole = all(cell.resolved.get("whole_documents", True) for cell in cells)
    for cell in cells:
        for name, value in cell.resolved.items():
            if whole and name in ("context", "whole_documents"):  # nothing was cut, which is what one expects
                continue
            found.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in found.items()}


def _caption(cells: Sequence[CellResult], differing: Sequence[str], settled: Mapping[str, list[Scalar]]) -> str:
    """What all cells share."""
    own = (*differing, "model", "measure", *settled)
    shared = {name: value for name, value in coordinates(cells[0]).items() if name not in own}
    shared |= {name: values[0] for name, values in settled.items() if len(values) == 1 and name not in differing}
    return ", ".join(label(name, value) for name, value in shared.items() if value is not None)


def _notes(
    cells: Sequence[CellResult], shown: Sequence[str], names: Sequence[str], told: Sequence[str]
) -> tuple[str, ...]:
    """How models were measured differently, how the intervals were made, and why cells have no numbers."""
    settings: dict[str, dict[str, None]] = {}
    for cell in cells if told else ():
        at = coordinates(cell)
        how = ", ".join(label(name, at[name]) for name in told if at.get(name) is not None)
        settings.setdefault(how, {})[cell.model] = None
    differently = [f"{', '.join(models)}: {how}" for how, models in settings.items() if how]
    records = [record for cell in cells for record in cell.records if record.metric in shown]
    intervals: dict[str, dict[str, None]] = {}
    for record in records:
        if record.value is None or record.interval in (None, "exact"):
            continue
        how = f"{record.interval}, {record.n} {record.n_unit}" if record.low is not None else record.interval
        intervals.setdefault(how or "", {})[(record.metric or "").replace("_", " ")] = None
    lines = [
        f"no interval of {', '.join(metrics)}: {how.removeprefix('none: ')}"
        if how.startswith("none")
        else f"interval of {', '.join(metrics)}: {how}"
        for how, metrics in intervals.items()
    ]
    ended = [
        f"{_title(cell, names)} {ENDED[cell.status]}: {cell.reason or 'no reason given'}"
        for cell in cells
        if cell.status is not Status.OK
    ]
    noted: dict[str, list[str]] = {}
    for cell in cells:
        for note in cell.notes:
            noted.setdefault(note, []).append(_title(cell, names))
    told_of_cells = [
        note if len(where) == len(cells) else f"{'; '.join(dict.fromkeys(where))}: {note}"
        for note, where in noted.items()
    ]
    lacking = [
        f"{_title(cell, names)}: {record.reason or 'no reason given'}"
        for cell in cells
        for record in cell.missing
        if record.reason not in cell.notes  # told when it was planned
    ]
    apart = why_no_ranking([cell for cell in cells if cell.status is Status.OK])
    return (*([apart] if apart else []), *differently, *lines[:6], *told_of_cells, *ended, *lacking)
