"""Findings of analyses as tables: a pivot where their analysis declares one, a list of every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.analysis import Pivot
from harness.analysis.registry import ANALYSES
from harness.evidence.selection import describe
from harness.evidence.value_text import label, text
from harness.number import Shown, shown, with_interval
from harness.report.table import Column, Row, Table
from harness.results.finding import Finding
from harness.results.record import Scalar


def finding_tables(findings: Sequence[Finding]) -> list[Table]:
    """One table per analysis."""
    tables = []
    for analysis in dict.fromkeys(finding.analysis for finding in findings):
        mine = [finding for finding in findings if finding.analysis == analysis]
        title = analysis.replace("_", " ")
        declared = ANALYSES.get(analysis)
        pivot = None if declared is None else declared.pivot
        compares = pivot is not None and any(item.unit == pivot.unit for item in mine)
        table = _pivot(title, mine, pivot) if pivot is not None and compares else _list(title, mine)
        charts = () if declared is None else declared.charts
        tables.append(replace(table, charts=tuple(chart.name for chart in charts)))
    return tables


def _list(title: str, findings: Sequence[Finding]) -> Table:
    differing = _differing(findings)
    rows = []
    for item in findings:
        at = [text(item.subject[name]) if name in item.subject else "" for name in differing]
        number = Shown(with_interval(item.value, item.low, item.high, item.unit))
        rows.append(Row((*at, item.name.replace("_", " "), number, item.note), group=repr(at)))
    columns = (*map(Column, differing), Column("finding"), Column("value", numeric=True), Column("note"))
    shared = {name: value for name, value in findings[0].subject.items() if name not in differing}
    caption = ", ".join(label(name, value) for name, value in shared.items() if value is not None)
    return Table(title, columns, tuple(rows), caption, _how(findings))


def _differing(findings: Sequence[Finding]) -> list[str]:
    names = dict.fromkeys(name for item in findings for name in item.subject)
    return [name for name in names if len({repr(item.subject.get(name)) for item in findings}) > 1]


def _how(findings: Sequence[Finding]) -> tuple[str, ...]:
    """How the intervals were made, without repeats."""
    return tuple(
        dict.fromkeys(
            f"interval: {item.interval}" for item in findings if item.low is not None and item.low != item.high
        )
    )


Key = tuple[Scalar, ...]


def _pivot(title: str, findings: Sequence[Finding], pivot: Pivot) -> Table:
    """Rows: model, precision and what else tells cells apart. Columns: a finding each, most of them ratios."""
    names = list(dict.fromkeys(name for item in findings for name in item.subject))
    # what most findings know comes first: model and precision before batch
    names.sort(key=lambda name: sum(name in item.subject for item in findings), reverse=True)
    metrics = list(dict.fromkeys(item.name for item in findings))
    rows = _placed(findings, names)
    columns = [Column(name.replace("_", " ")) for name in names]
    units = {item.name: item.unit for item in findings if item.value is not None}
    columns += [Column(_header(metric, pivot), units.get(metric, pivot.unit), numeric=True) for metric in metrics]
    missing: dict[str, list[str]] = {}
    for item in findings:
        if item.value is None:
            missing.setdefault(f"{describe(item.subject)}: {item.note}", []).append(_header(item.name, pivot))
    told = {f"{describe(item.subject)}: {item.note}": None for item in findings if item.value is not None and item.note}
    return Table(
        title,
        tuple(columns),
        tuple(_pivot_row(key, by_metric, names, metrics) for key, by_metric in rows.items()),
        "; ".join(
            [
                pivot.caption,
                *(text for name, text in pivot.explained.items() if name in metrics),
                *([f"what has a unit is no {pivot.unit}"] if any(item.unit != pivot.unit for item in findings) else []),
            ]
        ),
        (*_how(findings), *told, *(f"{why} ({', '.join(what)})" for why, what in missing.items())),
    )


def _header(name: str, pivot: Pivot) -> str:
    return name.removesuffix(f"_{pivot.unit}").replace("_", " ")


def _placed(findings: Sequence[Finding], names: Sequence[str]) -> dict[Key, dict[str, Finding]]:
    """Findings by row and metric. One that lacks an axis (perplexity has no batch) joins the first row that it fits."""
    most = max(len(item.subject) for item in findings)
    full = [item for item in findings if len(item.subject) == most]
    rows: dict[Key, dict[str, Finding]] = {tuple(item.subject.get(name) for name in names): {} for item in full}
    for item in findings:
        fitting = (key for key in rows if all(key[names.index(name)] == value for name, value in item.subject.items()))
        own = tuple(item.subject.get(name) for name in names)
        rows.setdefault(next(fitting, own), {}).setdefault(item.name, item)
    return rows


def _pivot_row(key: Key, by_metric: dict[str, Finding], names: Sequence[str], metrics: Sequence[str]) -> Row:
    lead = ["" if value is None else text(value) for value in key]
    numbers = [
        shown(item.value, item.low, item.high) if (item := by_metric.get(metric)) is not None else Shown("")
        for metric in metrics
    ]
    return Row((*lead, *numbers), group=lead[names.index("model")] if "model" in names else "")
