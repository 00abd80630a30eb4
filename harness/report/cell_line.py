"""What is said of a cell in one line: its headline numbers and how its time came about, or why it has none."""

from __future__ import annotations

from harness.measures.noise import about_its_time as about_its_time
from harness.measures.registry import MEASURES
from harness.number import with_interval
from harness.results.record import CellResult, Status


def last_number(result: CellResult) -> str:
    """A cell's headline numbers, or why it has none."""
    if result.status is not Status.OK:
        return f"{result.status.upper()}: {result.reason}"
    records = {record.metric: record for record in reversed(result.records)}  # of the whole cell before its parts
    having = [record for record in result.records if record.metric is not None]
    measure = MEASURES.get(result.measure)
    declared = () if measure is None else measure.metrics
    shown = [records[metric.name] for metric in declared if metric.headline and metric.name in records] or having[:1]
    numbers = "  ".join(f"{record.metric} {with_interval(record.value, None, None, record.unit)}" for record in shown)
    lacking = [f"{record.status.upper()}: {record.reason}" for record in result.missing]
    return "  ".join([numbers, *lacking])
