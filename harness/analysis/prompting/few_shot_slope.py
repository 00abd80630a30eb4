"""What few-shot examples bring: a score against the number of examples, its slope, and that slope over model size.

In-context learning that grows with size shows as a slope that grows with it (Brown et al. 2020, arXiv:2005.14165,
figure 1.2). How slopes and intervals are made is in `shot_curve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.prompting.shot_curve import (
    LEAST_SIZES,
    ShotCurve,
    Told,
    bends,
    shots_of,
    slope_of,
    slope_over_log_size,
)
from harness.evidence.per_document import shared
from harness.evidence.selection import Point, points, selects_point, why_no_task
from harness.results.finding import Finding
from harness.results.record import Direction, Scalar
from harness.results.run import Run


class FewShotSlopeSettings(AnalysisSettings):
    """What is taken over what."""

    of: list[str] = Field(default=["acc", "exact_match"], min_length=1)
    """Metrics: the first of them that a task has; `[gold_bits_per_byte]` moves before any accuracy does."""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values; `shots` for some numbers of examples."""


def run(run: Run, settings: FewShotSlopeSettings) -> list[Finding]:
    """Per task: a slope per model, then how the slope changes with size."""
    ladders: dict[str, list[ShotCurve]] = {}
    for curve in _curves(run, settings):
        ladders.setdefault(repr(sorted(_about(curve).items())), []).append(curve)
    if not ladders:
        return [_nothing(run, settings)]
    findings: list[Finding] = []
    for ladder in ladders.values():
        ladder.sort(key=lambda curve: curve.size)
        each = [_slope(curve) for curve in ladder]
        findings += [*each, *_over_size(ladder, each, settings)]
    return findings


def _curves(run: Run, settings: FewShotSlopeSettings) -> list[ShotCurve]:
    """Every model and task that was asked with two numbers of shots or more."""
    groups: dict[str, tuple[str, list[Point]]] = {}
    for metric in settings.of:
        for point in points(run, metric):
            at = point.coordinates
            if point.cell.measure != "task" or at.get("shots") is None or not selects_point(settings.where, point):
                continue
            key = repr(sorted((name, value) for name, value in at.items() if name != "shots"))
            first, members = groups.setdefault(key, (metric, []))
            if first == metric:
                members.append(point)
    found = []
    for _, members in groups.values():
        members.sort(key=shots_of)
        if len({shots_of(point) for point in members}) == len(members) > 1:
            size = getattr(members[0].record, settings.over) or 0
            found.append(ShotCurve(tuple(members), size, shared(members)))
    return found


def _about(curve: ShotCurve) -> dict[str, Scalar]:
    """What a ladder has in common: all but the model and the number of shots."""
    at = curve.points[0].coordinates | {"metric": curve.points[0].record.metric}
    return {name: value for name, value in at.items() if name not in ("model", "shots")}


def _subject(curve: ShotCurve) -> dict[str, Scalar]:
    at = _about(curve)
    return {name: at[name] for name in ("precision", "task", "reasoning", "part", "metric") if name in at}


def _scale(curve: ShotCurve) -> tuple[float, str]:
    """The factor and the unit in which a score is told."""
    unit = curve.points[0].record.unit or ""
    return (100.0, "percentage points") if unit == "share" else (1.0, unit)


def _slope(curve: ShotCurve) -> Finding:
    factor, unit = _scale(curve)
    first, last = curve.points[0].record, curve.points[-1].record
    words = ["the scores do not lie on a line in log2(shots + 1): read them one by one"] if bends(curve) else []
    words.append(f"{first.value:.3g} with {curve.shots[0]} examples, {last.value:.3g} with {curve.shots[-1]}")
    if first.direction is Direction.LOWER:
        words.append("lower is better")
    return Finding(
        analysis="few_shot_slope",
        name="slope",
        unit=f"{unit} per doubling of shots + 1",
        subject=_subject(curve) | {"model": curve.points[0].cell.model, "parameters": curve.size},
        note="; ".join(words),
        data={
            "scores": [
                {"shots": shots, "value": point.record.value, "low": point.record.low, "high": point.record.high}
                for shots, point in zip(curve.shots, curve.points, strict=True)
            ]
        },
        **_numbers(slope_of(curve), factor),
    )


def _numbers(told: Told, factor: float) -> dict[str, Any]:
    """A slope in the unit in which it is told."""
    low, high = (None if end is None else factor * end for end in (told.low, told.high))
    return {"value": factor * told.value, "low": low, "high": high, "interval": told.how, "n": told.n}


def _over_size(ladder: Sequence[ShotCurve], each: Sequence[Finding], settings: FewShotSlopeSettings) -> list[Finding]:
    import numpy as np

    from harness.statistics.line_slope import slope_by_scatter

    factor, unit = _scale(ladder[0])
    common: dict[str, Any] = {
        "analysis": "few_shot_slope",
        "unit": f"{unit} per doubling, per tenfold {settings.over.replace('_', ' ')}",
        "subject": _subject(ladder[0]),
    }
    sizes = {curve.size for curve in ladder}
    if len(sizes) < LEAST_SIZES or min(sizes) <= 0:
        why = f"at least {LEAST_SIZES} sizes are needed, here are {len(sizes)}"
        if min(sizes) <= 0:
            why = "the size of a model is not known"
        return [Finding(name="slope_over_size", note=f"not identified: {why}", **common)]
    told = slope_over_log_size(ladder)
    low, high = slope_by_scatter(np.log10([curve.size for curve in ladder]), np.array([c.slope for c in ladder]))
    how = f"t on the scatter of {len(ladder)} sizes around the line; holds seeds and misfit as they show"
    points = [
        {"model": item.subject["model"], "size": curve.size, "value": item.value, "low": item.low, "high": item.high}
        | item.data
        for curve, item in zip(ladder, each, strict=True)
    ]
    return [
        Finding(
            name="slope_over_size",
            note=_note(told, low > 0 or high < 0),
            data={"points": points, "over": settings.over, "metric": ladder[0].points[0].record.metric, "unit": unit},
            **_numbers(told, factor),
            **common,
        ),
        Finding(
            name="slope_over_size_by_scatter",
            note="the same with a more careful interval",
            **_numbers(told._replace(low=low, high=high, how=how), factor),
            **common,
        ),
    ]


def _note(told: Told, careful: bool) -> str:
    """careful: whether the interval by scatter excludes 0 as well."""
    if told.low is None or told.high is None or told.low <= 0 <= told.high:
        return "that the slope changes with size can't be told from 0"
    if not careful:
        return "told from 0 for these models; the sizes scatter too much to say it of others"
    return f"the slope {'rises' if told.value > 0 else 'falls'} with size"


def _nothing(run: Run, settings: FewShotSlopeSettings) -> Finding:
    why = why_no_task(settings.where, run) or (
        f"no task was asked with two numbers of shots and judged by {' or '.join(settings.of)}; "
        "ask with `shots: [0, 1, 2, 4]`"
    )
    return Finding(analysis="few_shot_slope", name="slope", note=f"no slope: {why}")


FEW_SHOT_SLOPE = Analysis(
    name="few_shot_slope",
    about="What few-shot examples bring: a score's slope per doubling of shots + 1, and that slope over model size",
    settings=FewShotSlopeSettings,
    run=run,
)
