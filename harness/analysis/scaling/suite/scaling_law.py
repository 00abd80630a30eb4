"""A plain power law of a metric over model size, L = A * N ** -exponent, with an interval and a prediction.

The interval of the exponent is the uncertainty from the finite test text alone. It does not hold what another
training seed would change, nor that a power law without a floor is the wrong shape over a wide range (Hoffmann et
al. 2022, arXiv 2203.15556, add an irreducible term). The residual says when the sizes don't lie on one line, and
the interval by scatter is wide then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.scaling.suite.log_line import (
    LogLine,
    Uncertainty,
    by_scatter,
    from_draws,
    from_intervals,
    least_squares,
    residuals,
    unknown,
)
from harness.charts import scaling_law as chart
from harness.evidence.definition import definition
from harness.evidence.per_document import PerDocument, per_document
from harness.evidence.ratio import estimate
from harness.evidence.selection import Point, points, selects, why_nothing
from harness.results.finding import Finding
from harness.results.record import Record, Scalar
from harness.results.run import Run
from harness.statistics.bootstrap import resampled_means

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SIZES = 3
REPLICATES = 2000
AHEAD = 10
"""The prediction is for this many times the largest size."""


class ScalingLawSettings(AnalysisSettings):
    """What is fitted over what."""

    of: str = "loss"
    """The metric: loss, bits_per_byte, perplexity …"""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values, such as `{precision: fp32}`."""
    models: list[str] | None = Field(default=None, min_length=1)
    """Which models; left out, all that were measured on the same text with the same tokens."""


def run(run: Run, settings: ScalingLawSettings) -> list[Finding]:
    """One group of findings per text and point of the matrix that has at least three sizes."""
    having = points(run, settings.of)
    found = [
        point
        for point in having
        if selects(settings.where, point.cell) and (settings.models is None or point.cell.model in settings.models)
    ]
    if not found:
        where = settings.where | ({"model": list(settings.models)} if settings.models else {})
        why = why_nothing(where, [point.cell for point in having])
        return [_not_identified(settings, why if having else f"the run has no value of {settings.of}")]
    ladders = [_ladder(members, settings) for members in _comparable(found)]
    identified = [ladder for ladder in ladders if len({_size(point, settings) for point in ladder}) >= LEAST_SIZES]
    if not identified:
        longest = max(ladders, key=len)
        models = ", ".join(point.cell.model for point in longest)
        why = (
            f"a power law needs at least {LEAST_SIZES} sizes measured on the same text with the same tokens and the "
            f"same window, here are {len(longest)}" + (f" ({models})" if models else "")
        )
        return [_not_identified(settings, why)]
    return [finding for ladder in identified for finding in _law(ladder, settings)]


def _comparable(found: Sequence[Point]) -> list[list[Point]]:
    """Groups that differ in the model alone and count the same tokens in the same documents, in equal windows."""
    groups: list[tuple[dict[str, Scalar], PerDocument | None, list[Point]]] = []
    for point in found:
        at, evidence = _without_model(point) | definition(point.cell), per_document(point)
        for there, seen, members in groups:
            alike = evidence is seen if evidence is None or seen is None else evidence.same_tokens(seen)
            if there == at and alike:
                members.append(point)
                break
        else:
            groups.append((at, evidence, [point]))
    return [members for _, _, members in groups]


def _without_model(point: Point) -> dict[str, Scalar]:
    return {name: value for name, value in point.coordinates.items() if name != "model"}


def _size(point: Point, settings: ScalingLawSettings) -> int:
    size: int | None = getattr(point.record, settings.over)
    return size or 0


def _ladder(members: Sequence[Point], settings: ScalingLawSettings) -> list[Point]:
    """The points by size; those without a size or with a value that has no log are left out."""
    usable = [
        point
        for point in members
        if _size(point, settings) > 0 and point.record.value is not None and 0 < point.record.value < math.inf
    ]
    return sorted(usable, key=lambda point: _size(point, settings))


def _law(ladder: Sequence[Point], settings: ScalingLawSettings) -> list[Finding]:
    import numpy as np

    sizes = np.array([_size(point, settings) for point in ladder], dtype=float)
    values = np.array([point.record.value for point in ladder], dtype=float)
    law = LogLine(*map(float, least_squares(sizes, values)))
    at = np.geomspace(sizes.min() / 1.25, sizes.max() * AHEAD, 60)
    uncertainty = _uncertainty(ladder, sizes, values, at)
    misfit = float(np.sqrt((residuals(law, sizes, values) ** 2).mean()))
    first = ladder[0].record
    common: dict[str, Any] = {
        "analysis": "scaling_law",
        "subject": {"of": settings.of, "over": settings.over, **_without_model(ladder[0])},
        "n": first.n,
    }
    ahead_low, ahead_high = uncertainty.curve[-1]
    scatter_low, scatter_high = by_scatter(sizes, values)
    return [
        Finding(
            name="exponent",
            value=law.exponent,
            low=uncertainty.exponent[0],
            high=uncertainty.exponent[1],
            interval=uncertainty.method,
            note=_warning(uncertainty),
            data=_chart(ladder, settings, law, at, uncertainty),
            **common,
        ),
        Finding(
            name="exponent_by_scatter",
            value=law.exponent,
            low=scatter_low,
            high=scatter_high,
            interval=f"t on the scatter of {len(ladder)} sizes around the law; holds seeds and misfit as they show",
            note="the same exponent with a more careful interval",
            **common,
        ),
        Finding(
            name="scale",
            value=math.exp(law.log_scale),
            unit=first.unit or "",
            note=f"A of {settings.of} = A * N^-exponent, N = {settings.over}",
            **common,
        ),
        Finding(
            name="residual",
            value=misfit,
            unit="fraction",
            note=f"root mean square of the relative misfit over {len(ladder)} sizes",
            **common,
        ),
        Finding(
            name="prediction",
            value=law.at(float(at[-1])),
            unit=first.unit or "",
            low=ahead_low,
            high=ahead_high,
            interval=uncertainty.method,
            note=f"at {at[-1]:.3g} {settings.over.replace('_', ' ')}, {AHEAD} times the largest measured: an "
            "extrapolation, right only as far as the law goes on",
            **common,
        ),
    ]


def _uncertainty(ladder: Sequence[Point], sizes: Floats, values: Floats, at: Floats) -> Uncertainty:
    """By documents where every size has them, else by the values' own intervals, else none."""
    import numpy as np

    evidence = [item for item in map(per_document, ladder) if item is not None and len(item.documents) > 1]
    if len(evidence) == len(ladder):
        sums = np.stack([item.sums for item in evidence], axis=1)
        weights = np.stack([item.weights for item in evidence], axis=1)
        means = resampled_means(sums, weights, REPLICATES, seed=0)
        return from_draws(sizes, values, _as_metric(ladder[0].record, means), at)
    estimates = [item for point in ladder if (item := estimate(point.record)) is not None]
    return from_intervals(sizes, estimates, at) if len(estimates) == len(ladder) else unknown(at)


def _as_metric(record: Record, means: Floats) -> Floats:
    """Means of the evidence as the metric gives them; those of a task's metrics are so already."""
    from harness.measures.registry import declared

    metric = declared(record)
    return means if metric is None or metric.sums is None else metric.sums.of_means(means)


def _warning(uncertainty: Uncertainty) -> str:
    if uncertainty.misfit_share is None or uncertainty.misfit_share >= 0.05:
        return ""
    return (
        "the sizes do not lie on one power law: the residuals are larger than the choice of documents explains, "
        "so take the interval by scatter"
    )


def _chart(
    ladder: Sequence[Point], settings: ScalingLawSettings, law: LogLine, at: Floats, uncertainty: Uncertainty
) -> dict[str, Any]:
    """Measured points, the curve with its band, and what they are."""
    return {
        "metric": settings.of,
        "unit": ladder[0].record.unit or "",
        "over": settings.over,
        "misfit_share": uncertainty.misfit_share,
        "points": [
            {
                "model": point.cell.model,
                "size": _size(point, settings),
                "value": point.record.value,
                "low": point.record.low,
                "high": point.record.high,
            }
            for point in ladder
        ],
        "curve": [
            {"size": size, "value": law.at(size), "low": low, "high": high}
            for size, (low, high) in zip(at.tolist(), uncertainty.curve, strict=True)
        ],
    }


def _not_identified(settings: ScalingLawSettings, why: str) -> Finding:
    return Finding(
        analysis="scaling_law",
        name="exponent",
        subject={"of": settings.of, "over": settings.over},
        note=f"not identified: {why}",
    )


SCALING_LAW = Analysis(
    name="scaling_law",
    about="Power law of a metric over model size: exponent, residual, and a prediction at ten times the size",
    settings=ScalingLawSettings,
    run=run,
    charts=(chart.CHART,),
)
