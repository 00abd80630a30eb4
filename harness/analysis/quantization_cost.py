"""What a cheaper precision costs and brings: every metric as a ratio to the same cell at the precision it replaces.

One finding per metric and cell. Quality is paired by document; speed and memory are ratios of two values that were
measured apart, one after the other. A cell that failed is a finding without a value that says why.

`quality` is the number behind "keeps 99 %": the base's perplexity over this one's. That is exp(-change in loss), the
geometric mean over tokens of the probability that this precision gives to what really comes next, in parts of what
the base gives to it. The metrics of `fidelity` compare with fp32 by themselves: they stand as they are, not as ratios.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings, Pivot
from harness.evidence.definition import why_other_definition
from harness.evidence.ratio import ratio
from harness.evidence.selection import (
    ENDED,
    Point,
    coordinates,
    counterpart,
    of_cell,
    points,
    same,
    selects,
    varying_within_models,
    why_nothing,
)
from harness.results.finding import Finding
from harness.results.record import CellResult, Direction, Scalar, Status
from harness.results.run import Run

RATIO = "ratio"
"""Unit of what compares a cell with the base."""

QUALITY = "quality"
"""No metric but what is made of one: the base's perplexity over this one's."""

BASE = "perplexity"
"""The metric that `quality` is made of."""

LEFT_WIDE = "left_wide"
"""Share of the weights' bytes whose matrices the quantization left in a wider format."""


def weighed() -> list[str]:
    """The metrics that are shown unless others are asked for: what is exact (bytes) first, then as measures have
    them; `quality` stands beside the perplexity that it is made of."""
    from harness.measures.registry import metrics

    shown = [metric for metric in metrics() if metric.tradeoff]
    shown.sort(key=lambda metric: metric.sums is not None or metric.depends_on is not None)
    return [name for metric in shown for name in ((metric.name, QUALITY) if metric.name == BASE else (metric.name,))]


def _with_its_default(schema: dict[str, Any]) -> None:
    schema["default"] = weighed()


class QuantizationCostSettings(AnalysisSettings):
    """What is compared with what."""

    against: dict[str, Scalar] = Field(default={"precision": "fp32"}, min_length=1)
    """The axes to replace, with the values that are the base, such as `{precision: fp32}`."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells; left out, all."""
    metrics: list[str] = Field(
        default_factory=weighed,  # of the measures, which are imported when an analysis is asked for
        min_length=1,
        json_schema_extra=_with_its_default,
    )
    """Which metrics; `quality` is the base's perplexity over the cell's."""


def run(run: Run, settings: QuantizationCostSettings) -> list[Finding]:
    """A ratio per metric and cell that is not the base itself, in the order of the run's cells."""
    chosen = [cell for cell in run.cells if selects(settings.where, cell)]
    if not any(selects(dict(settings.against), cell) for cell in chosen):
        why = why_nothing(dict(settings.against), chosen or run.cells)
        return [Finding(analysis="quantization_cost", name="base", note=f"nothing to compare with: {why}")]
    findings: list[Finding] = []
    for metric in settings.metrics:
        having = points(run, BASE if metric == QUALITY else metric)
        shown = set(settings.against) | {"model"} | set(varying_within_models([point.cell for point in having]))
        measures = {point.cell.measure for point in having}
        for cell in chosen:
            at = coordinates(cell)
            # without a value on the replaced axis, or at the base itself, there is nothing to compare
            if cell.measure not in measures or not _is_alternative(at, settings.against):
                continue
            subject = {name: value for name, value in at.items() if name in shown and name != "measure"}
            mine: list[Point | None] = [*of_cell(cell, having, settings.where)]
            for point in mine or [None]:
                part: dict[str, Scalar] = {}
                if point is not None and point.record.part is not None:
                    part["part"] = point.record.part
                if (base := _relative_to(cell, metric)) is not None:
                    findings.append(_as_measured(cell, metric, point, base, settings.against, subject | part))
                else:
                    findings.extend(_cost(run, cell, metric, point, having, settings.against, subject | part))
    return [*findings, *_left_wide(chosen, settings.against)]


def _left_wide(chosen: list[CellResult], against: dict[str, Scalar]) -> Iterator[Finding]:
    """What share of the weights' bytes stayed in a wider format than the precision says, and which weights."""
    told: set[str] = set()
    for cell in chosen:
        at = coordinates(cell)
        subject = {name: at[name] for name in ("model", *against) if name in at}
        if cell.stored is None or not cell.stored.wide or repr(subject) in told or not _is_alternative(at, against):
            continue
        told.add(repr(subject))
        named = [
            f"{each.name}{f' ({each.tensors} tensors)' if each.tensors > 1 else ''} in {each.format}: {each.reason}"
            for each in cell.stored.wide
        ]
        yield Finding(
            analysis="quantization_cost",
            name=LEFT_WIDE,
            value=cell.stored.wide_share,
            unit="fraction",
            subject=subject,
            note=f"left wide: {'; '.join(named)}",
            data={"metric": LEFT_WIDE, "unit": "fraction", "direction": str(Direction.NONE)},
        )


def _is_alternative(at: dict[str, Scalar], against: dict[str, Scalar]) -> bool:
    return all(name in at for name in against) and any(not same(at[name], value) for name, value in against.items())


def _relative_to(cell: CellResult, metric: str) -> tuple[str, Scalar] | None:
    """The value of an axis that a cell's metric compares with in itself."""
    from harness.measures.registry import MEASURES

    measure = MEASURES.get(cell.measure)
    declared = None if measure is None else measure.metric(metric)
    return None if declared is None else declared.relative_to


def _as_measured(
    cell: CellResult,
    metric: str,
    point: Point | None,
    base: tuple[str, Scalar],
    against: dict[str, Scalar],
    subject: dict[str, Scalar],
) -> Finding:
    """A value that is a comparison with `base` already."""
    common = {"analysis": "quantization_cost", "name": metric, "subject": subject}
    if against != dict([base]):
        return Finding(**common, note=f"it compares with {base[1]}, which is not the base here")
    if point is None:
        return Finding(**common, note=_ended(cell, metric))
    record = point.record
    return Finding(
        **common,
        value=record.value,
        unit=record.unit or "",
        low=record.low,
        high=record.high,
        interval=record.interval,
        n=record.n,
        data={"metric": metric, "unit": record.unit, "direction": str(record.direction), "value": record.value},
    )


def _cost(
    run: Run,
    cell: CellResult,
    metric: str,
    point: Point | None,
    having: list[Point],
    against: dict[str, Scalar],
    subject: dict[str, Scalar],
) -> Iterator[Finding]:
    base = None if point is None else counterpart(point.coordinates, against, having)
    name = f"{metric}_ratio"
    if point is None or base is None:
        why = _ended(cell, metric) if point is None else _why_no_base(run, cell, metric, against)
        yield Finding(analysis="quantization_cost", name=name, unit=RATIO, subject=subject, note=why)
        return
    other = why_other_definition(base.cell, point.cell)
    if other is not None:
        yield Finding(analysis="quantization_cost", name=name, unit=RATIO, subject=subject, note=other)
        return
    result = ratio(base, point) if metric == QUALITY else ratio(point, base)
    yield Finding(
        analysis="quantization_cost",
        name=name,
        value=result.value if result else None,
        unit=RATIO,
        low=result.low if result else None,
        high=result.high if result else None,
        interval=result.method if result else None,
        n=result.n if result else None,
        subject=subject,
        note="" if result else "a ratio needs two positive values",
        data={
            "metric": metric,
            "unit": point.record.unit,
            "direction": str(Direction.HIGHER if metric == QUALITY else point.record.direction),
            "value": point.record.value,
            "base": base.record.value,
        },
    )


def _why_no_base(run: Run, cell: CellResult, metric: str, against: dict[str, Scalar]) -> str:
    wanted = coordinates(cell) | against
    base = next((other for other in run.cells if coordinates(other) == wanted), None)
    return f"nothing to compare with: the base {_ended(base, metric)}" if base else "nothing to compare with"


def _ended(cell: CellResult, metric: str) -> str:
    metric = BASE if metric == QUALITY else metric
    if cell.status is Status.OK:
        return f"has no {metric}"
    return f"{ENDED[cell.status]}: {cell.reason or 'no reason given'}"


QUANTIZATION_COST = Analysis(
    name="quantization_cost",
    about="Weights, quality, speed and peak memory of each precision as ratios to a base precision",
    settings=QuantizationCostSettings,
    run=run,
    pivot=Pivot(
        "each value over the base's, 1 is no change",
        unit=RATIO,
        explained={f"{QUALITY}_ratio": "quality: the base's perplexity over this one's"},
    ),
)
