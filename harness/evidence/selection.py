"""Which records a suite's words mean: `where`, `against`, and the nearest spelling when they mean none.

A cell's coordinates are its model, its measure, its axes and its settings, in one name space as in
`results.records_frame`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.results.record import CellResult, Record, Scalar, Status
from harness.results.run import Run
from harness.spelling import nearest_aside

ENDED = {
    Status.OK: "ended well",
    Status.FAILED: "failed",
    Status.OUT_OF_MEMORY: "ran out of memory",
    Status.SKIPPED: "was skipped",
}
"""How a cell ended, as the verb of a sentence."""

Where = Mapping[str, Scalar | list[Scalar]]


@dataclass(frozen=True)
class Point:
    """One record where it lies: its run, its cell and the record."""

    run: Run
    cell: CellResult
    record: Record

    @property
    def coordinates(self) -> dict[str, Scalar]:
        """Model, axes, measure and settings, and the part of the cell where its metrics have several."""
        at = coordinates(self.cell)
        return at if self.record.part is None else at | {"part": self.record.part}


def coordinates(cell: CellResult) -> dict[str, Scalar]:
    """Model, axes, measure and settings of a cell, in this order."""
    return {"model": cell.model, **cell.axes, "measure": cell.measure, **cell.settings}


SPEAKS_FOR_ITSELF = ("model", "precision", "device", "text")
"""Coordinates whose values need no name before them: `nano`, `int8`."""


def describe(at: Mapping[str, Scalar | list[Scalar]]) -> str:
    """`smollm2, int8, batch 8`; alternatives are joined by `or`."""
    words = []
    for name, value in at.items():
        values = " or ".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(values if name in SPEAKS_FOR_ITSELF else f"{name.rstrip('_').replace('_', ' ')} {values}")
    return ", ".join(words)


def points(run: Run, metric: str) -> list[Point]:
    """Every record of a metric (`perplexity` or `perplexity@2`) that has a value."""
    return [
        Point(run, cell, record)
        for cell in run.cells
        if cell.status is Status.OK
        for record in cell.records
        if metric in (record.metric, record.metric_id) and record.value is not None
    ]


def same(a: Scalar, b: Scalar) -> bool:
    """Equality of two values on an axis: 8 is 8.0, but True is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def selects(where: Where, cell: CellResult) -> bool:
    """Whether a cell has, for every key of `where`, the value (or one of the values) that stands there."""
    parts = listed(where["part"]) if "part" in where else None
    if parts is not None and not any(record.part in parts for record in cell.records):
        return False
    return selects_row({key: wanted for key, wanted in where.items() if key != "part"}, coordinates(cell))


def selects_row(where: Where, at: Mapping[str, Scalar]) -> bool:
    """The same of a cell's coordinates, planned or measured."""
    return all(key in at and any(same(at[key], value) for value in listed(wanted)) for key, wanted in where.items())


def selects_point(where: Where, point: Point) -> bool:
    """Whether `where` means a point: its cell, and the part of it that is named."""
    return selects(where, point.cell) and ("part" not in where or point.record.part in listed(where["part"]))


def of_cell(cell: CellResult, having: Iterable[Point], where: Where) -> list[Point]:
    """The points of a cell that `where` means: those of the part that it names, else what stands for the whole cell,
    else every part."""
    mine = [point for point in having if point.cell is cell]
    if "part" in where:
        return [point for point in mine if point.record.part in listed(where["part"])]
    return [point for point in mine if point.record.part is None] or mine


def listed(wanted: Scalar | list[Scalar]) -> list[Scalar]:
    """One value or several, as a list."""
    return wanted if isinstance(wanted, list) else [wanted]


def counterpart(at: Mapping[str, Scalar], against: Mapping[str, Scalar], among: Iterable[Point]) -> Point | None:
    """The point at the same coordinates but for those that `against` replaces."""
    wanted = dict(at) | dict(against)
    for point in among:
        there = point.coordinates
        if there.keys() == wanted.keys() and all(same(there[key], wanted[key]) for key in wanted):
            return point
    return None


def varying(cells: Sequence[CellResult]) -> list[str]:
    """Names of the coordinates that differ between the cells, in order, the model first."""
    rows = [coordinates(cell) for cell in cells]
    names = dict.fromkeys(name for row in rows for name in row)
    return [
        name
        for name in names
        if any((name in row) != (name in rows[0]) or not same(row.get(name), rows[0].get(name)) for row in rows)
    ]


def varying_within_models(cells: Sequence[CellResult]) -> list[str]:
    """Names of the coordinates that differ between cells of the same model: what tells them apart beside it."""
    models = dict.fromkeys(cell.model for cell in cells)
    return list(dict.fromkeys(name for m in models for name in varying([c for c in cells if c.model == m])))


def why_no_task(where: Where, run: Run) -> str | None:
    """Why `where` selects none of the run's tasks; None where it selects some, or asks for nothing."""
    tasks = [cell for cell in run.cells if cell.measure == "task"]
    if not where or any(selects(where, cell) for cell in tasks):
        return None
    return why_nothing(where, tasks)


def why_nothing(where: Where, cells: Sequence[CellResult]) -> str:
    """Why `where` selects none of the cells, with the nearest spelling of what exists."""
    if not cells:
        return "the run has no cells"
    rows: list[Mapping[str, Scalar]] = [coordinates(cell) for cell in cells]
    parts = list(dict.fromkeys(record.part for cell in cells for record in cell.records if record.part is not None))
    if parts:
        rows = [{**row, "part": part} for row in rows for part in parts]
    return why_no_row(where, rows)


def why_no_row(where: Where, rows: Sequence[Mapping[str, Scalar]]) -> str:
    """Why `where` selects none of these coordinates of cells, with the nearest spelling of what exists."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    for key, wanted in where.items():
        if key not in names:
            return f"no cell has '{key}'{nearest_aside(key, names)}; there are: {', '.join(names)}"
        there = list(dict.fromkeys(str(row[key]) for row in rows if key in row))
        values = listed(wanted)
        missing = [value for value in values if not any(same(row[key], value) for row in rows if key in row)]
        if len(missing) == len(values):
            near = nearest_aside(str(missing[0]), there)
            return f"no cell has {key} = {missing[0]}{near}; there are: {', '.join(there)}"
    return "no cell has " + " and ".join(f"{key} = {value}" for key, value in where.items()) + " at once"
