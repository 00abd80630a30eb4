"""What worked examples bring: a score against the number of examples, its slope, and that slope over model size.

The slope is least squares of the score on log2(shots + 1): what twice as many things to read (the question counts as
one) change. In-context learning that grows with size shows as a slope that grows with it (Brown et al. 2020,
arXiv:2005.14165, figure 1.2). The slope is linear in the scores, so with the same documents at every number of shots
its interval is exact pairing: what a document adds to the slope is summed up by document first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.counts_table import Unit, shares
from harness.analysis.per_document import PerDocument, by_cluster, per_document, together
from harness.analysis.selection import Point, listed, points, selects, why_nothing
from harness.results.finding import Finding
from harness.results.record import Direction, Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SIZES = 3


class FewShotSlopeSettings(AnalysisSettings):
    """What is taken over what."""

    of: list[str] = Field(default=["acc", "exact_match"], min_length=1)
    """Metrics: the first of them that a task has; `[gold_bits_per_byte]` moves before any accuracy does."""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values; `shots` for some numbers of examples."""


def few_shot_slopes(frame: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """The slope of every model, in percentage points per doubling of shots + 1, unpaired: of published tables.

    frame: columns `parameters`, `shots`, `right`, `n` (documents), and optionally `task` and `model`. unit: what
    `right` counts: `correct` documents, `percent` or `share`. Returns `task`, `model`, `parameters`, `slope`, `low`,
    `high`, the interval by the binomials of each number of shots, independent. Raises UserError as
    `counts_table.shares` does, and for a model with fewer than two numbers of shots.
    """
    import numpy as np
    import pandas as pd

    from harness.errors import UserError

    table = shares(frame, ("right",), unit, analysis="few_shot_slope", keys=("task", "model"), by="shots")
    found = []
    for (task, model, size), rows in table.groupby(["task", "model", "parameters"], sort=False):
        if len(rows) < 2:
            raise UserError(f"{model} on {task} has one number of shots: a slope needs two", place="few_shot_slope")
        weights = _weights(_doublings(rows["shots"]))
        # two right and two wrong answers more, so that 0 and 1 have an error (Agresti & Coull 1998)
        share = (rows["right_share"] * rows["n"] + 2) / (rows["n"] + 4)
        half = 1.959964 * float(np.sqrt((weights**2 * share * (1 - share) / rows["n"]).sum()))
        slope = float(weights @ rows["right_share"])
        told = {"task": task, "model": model, "parameters": size, "slope": 100 * slope}
        found.append(told | {"low": 100 * (slope - half), "high": 100 * (slope + half)})
    return pd.DataFrame(found)


@dataclass(frozen=True)
class SlopeOverSize:
    """How a slope changes with size."""

    value: float
    """Per tenfold of the parameters, in the slope's unit."""
    low: float
    high: float
    low_by_scatter: float
    """Student's t on the scatter of the sizes around the line: holds seeds and misfit as far as they show."""
    high_by_scatter: float
    sizes: int


def slope_over_size(slopes: pd.DataFrame) -> SlopeOverSize:
    """The line through slopes over log10 of the parameters, of one task's rows of `few_shot_slopes`.

    The interval carries the slopes' own intervals through the line, as independent. Raises UserError for fewer than
    three sizes.
    """
    import numpy as np

    from harness.errors import UserError

    if slopes["parameters"].nunique() < LEAST_SIZES:
        raise UserError(f"at least {LEAST_SIZES} sizes are needed", place="few_shot_slope: slope_over_size")
    log = np.log10(slopes["parameters"].to_numpy(dtype=float))
    values = slopes["slope"].to_numpy(dtype=float)
    weights = _weights(log)
    halves = (slopes["high"] - slopes["low"]).to_numpy(dtype=float) / 2
    value, half = float(weights @ values), float(np.sqrt((weights**2 * halves**2).sum()))
    low, high = _by_scatter(log, values)
    return SlopeOverSize(value, value - half, value + half, low, high, len(log))


def _doublings(shots: Any) -> Floats:
    import numpy as np

    return np.log2(np.asarray(list(shots), dtype=np.float64) + 1)


def _weights(x: Floats) -> Floats:
    """w with w @ y = the least-squares slope of y over x."""
    centred = x - x.mean()
    weights: Floats = centred / (centred @ centred)
    return weights


def _by_scatter(x: Floats, y: Floats) -> tuple[float, float]:
    import numpy as np
    from scipy.special import stdtrit

    weights = _weights(x)
    slope = float(weights @ y)
    residual = y - y.mean() - slope * (x - x.mean())
    if len(x) < 3:
        return -math.inf, math.inf
    error = float(np.sqrt((residual @ residual) / (len(x) - 2) * (weights @ weights)))
    half = float(stdtrit(len(x) - 2, 0.975)) * error
    return slope - half, slope + half


@dataclass(frozen=True)
class _Curve:
    """One model on one task: its points by ascending shots."""

    points: tuple[Point, ...]
    size: int
    evidence: tuple[PerDocument, ...] | None
    """Of each number of shots, the documents that all of them have."""

    @property
    def shots(self) -> list[int]:
        return [_shots(point) for point in self.points]

    @property
    def values(self) -> list[float]:
        return [point.record.value or 0.0 for point in self.points]

    @property
    def slope(self) -> float:
        return float(_weights(_doublings(self.shots)) @ self.values)

    def influences(self) -> Floats:
        """(documents, shots): how much more each document would make each score, times the number of documents."""
        import numpy as np

        assert self.evidence is not None
        columns = []
        for item in self.evidence:
            ratio = item.sums.sum() / item.weights.sum()
            columns.append((item.sums - ratio * item.weights) / item.weights.mean())
        return np.stack(columns, axis=1)


def run(run: Run, settings: FewShotSlopeSettings) -> list[Finding]:
    """Per task: a slope per model, then how the slope changes with size."""
    ladders: dict[str, list[_Curve]] = {}
    for curve in _curves(run, settings):
        ladders.setdefault(repr(sorted(_shared(curve, with_model=False).items())), []).append(curve)
    if not ladders:
        return [_nothing(run, settings)]
    findings: list[Finding] = []
    for ladder in ladders.values():
        ladder.sort(key=lambda curve: curve.size)
        each = [_slope(curve) for curve in ladder]
        findings += [*each, *_over_size(ladder, each, settings)]
    return findings


def _curves(run: Run, settings: FewShotSlopeSettings) -> list[_Curve]:
    """Every model and task that was asked with two numbers of shots or more."""
    groups: dict[str, tuple[str, list[Point]]] = {}
    for metric in settings.of:
        for point in points(run, metric):
            at = point.coordinates
            wanted = "part" not in settings.where or at.get("part") in listed(settings.where["part"])
            if point.cell.measure != "task" or at.get("shots") is None or not wanted:
                continue
            if not selects(settings.where, point.cell):
                continue
            key = repr(sorted((name, value) for name, value in at.items() if name != "shots"))
            first, members = groups.setdefault(key, (metric, []))
            if first == metric:
                members.append(point)
    found = []
    for _, members in groups.values():
        members.sort(key=_shots)
        if len({_shots(point) for point in members}) == len(members) > 1:
            size = getattr(members[0].record, settings.over) or 0
            found.append(_Curve(tuple(members), size, _evidence(members)))
    return found


def _shots(point: Point) -> int:
    return int(point.coordinates["shots"] or 0)


def _evidence(members: Sequence[Point]) -> tuple[PerDocument, ...] | None:
    known = [item for item in map(per_document, members) if item is not None]
    if len(known) < len(members):
        return None
    shared = together(known)
    return tuple(shared) if len(shared[0].documents) > 1 else None


def _shared(curve: _Curve, *, with_model: bool) -> dict[str, Scalar]:
    at = curve.points[0].coordinates | {"metric": curve.points[0].record.metric}
    return {name: value for name, value in at.items() if name != "shots" and (with_model or name != "model")}


def _subject(curve: _Curve) -> dict[str, Scalar]:
    at = _shared(curve, with_model=False)
    return {name: at[name] for name in ("precision", "task", "reasoning", "part", "metric") if name in at}


def _scale(curve: _Curve) -> tuple[float, str]:
    """The factor and the unit in which a score is told."""
    unit = curve.points[0].record.unit or ""
    return (100.0, "percentage points") if unit == "share" else (1.0, unit)


def _slope(curve: _Curve) -> Finding:
    factor, unit = _scale(curve)
    value, low, high, how, n = curve.slope, None, None, "none: the documents differ between numbers of shots", None
    words = []
    if curve.evidence is not None:
        rows = by_cluster(curve.evidence[0], curve.influences())
        n = len(curve.evidence[0].documents)
        low, high = _around(value, rows @ _weights(_doublings(curve.shots)), n)
        how = f"t over {'documents' if len(rows) == n else f'{len(rows)} clusters'}, paired"
        if _bent(rows, curve):
            words.append("the scores do not lie on a line in log2(shots + 1): read them one by one")
    first, last = curve.points[0].record, curve.points[-1].record
    words.append(f"{first.value:.3g} with {curve.shots[0]} examples, {last.value:.3g} with {curve.shots[-1]}")
    if first.direction is Direction.LOWER:
        words.append("lower is better")
    return Finding(
        analysis="few_shot_slope",
        name="slope",
        value=factor * value,
        unit=f"{unit} per doubling of shots + 1",
        low=None if low is None else factor * low,
        high=None if high is None else factor * high,
        interval=how,
        n=n,
        subject=_subject(curve) | {"model": curve.points[0].cell.model, "parameters": curve.size},
        note="; ".join(words),
        data={
            "scores": [
                {"shots": shots, "value": point.record.value, "low": point.record.low, "high": point.record.high}
                for shots, point in zip(curve.shots, curve.points, strict=True)
            ]
        },
    )


def _around(value: float, influences: Floats, n: int) -> tuple[float | None, float | None]:
    """Student's t for a statistic with these summed influences (units,), each times n documents."""
    import numpy as np
    from scipy.special import stdtrit

    units = len(influences)
    if units < 2:
        return None, None
    error = float(np.sqrt(units / (units - 1) * (influences**2).sum())) / n
    half = float(stdtrit(units - 1, 0.975)) * error
    return value - half, value + half


def _bent(rows: Floats, curve: _Curve) -> bool:
    """Whether the scores leave a line by more than the choice of documents explains (chi-square, 5 %)."""
    import numpy as np
    from scipy.special import chdtrc

    count = len(curve.points)
    if count < 3 or len(rows) <= count:
        return False
    x = _doublings(curve.shots)
    design = np.stack([np.ones(count), x], axis=1)
    leave = np.eye(count) - design @ np.linalg.pinv(design)
    assert curve.evidence is not None
    covariance = leave @ (rows.T @ rows) @ leave / len(curve.evidence[0].documents) ** 2
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-9 * max(float(values[-1]), 1e-300)
    misfit = vectors[:, kept].T @ (leave @ np.array(curve.values))
    return bool(kept.any() and chdtrc(int(kept.sum()), float((misfit**2 / values[kept]).sum())) < 0.05)


def _over_size(ladder: Sequence[_Curve], each: Sequence[Finding], settings: FewShotSlopeSettings) -> list[Finding]:
    import numpy as np

    factor, unit = _scale(ladder[0])
    common: dict[str, Any] = {
        "analysis": "few_shot_slope",
        "unit": f"{unit} per doubling, per tenfold {settings.over.replace('_', ' ')}",
        "subject": _subject(ladder[0]),
    }
    if len({curve.size for curve in ladder}) < LEAST_SIZES or any(curve.size <= 0 for curve in ladder):
        why = f"not identified: at least {LEAST_SIZES} sizes are needed, here are {len({c.size for c in ladder})}"
        return [Finding(name="slope_over_size", note=why, **common)]
    log = np.log10([curve.size for curve in ladder])
    slopes = np.array([curve.slope for curve in ladder])
    weights = _weights(log)
    value = float(weights @ slopes)
    low, high, how, n = _documents_shared(ladder, weights, value)
    scatter_low, scatter_high = _by_scatter(log, slopes)
    points = [
        {"model": item.subject["model"], "size": curve.size, "value": item.value, "low": item.low, "high": item.high}
        | item.data
        for curve, item in zip(ladder, each, strict=True)
    ]
    return [
        Finding(
            name="slope_over_size",
            value=factor * value,
            low=None if low is None else factor * low,
            high=None if high is None else factor * high,
            interval=how,
            n=n,
            note=_told(value, low, high, scatter_low, scatter_high),
            data={"points": points, "over": settings.over, "metric": ladder[0].points[0].record.metric, "unit": unit},
            **common,
        ),
        Finding(
            name="slope_over_size_by_scatter",
            value=factor * value,
            low=factor * scatter_low,
            high=factor * scatter_high,
            interval=f"t on the scatter of {len(ladder)} sizes around the line; holds seeds and misfit as they show",
            n=n,
            note="the same with a more careful interval",
            **common,
        ),
    ]


def _documents_shared(
    ladder: Sequence[_Curve], weights: Floats, value: float
) -> tuple[float | None, float | None, str, int | None]:
    """The interval of a weighted sum of slopes: by document where all models have the same, else independent."""
    import numpy as np

    known = [curve.evidence for curve in ladder if curve.evidence is not None]
    if len(known) < len(ladder):
        return None, None, "none: the documents differ between numbers of shots", None
    names = [(item[0].documents, item[0].texts) for item in known]
    per_model = [
        curve.influences() @ _weights(_doublings(curve.shots)) * weight
        for curve, weight in zip(ladder, weights, strict=True)
    ]
    n = len(names[0][0])
    if all(name == names[0] for name in names):
        rows = by_cluster(known[0][0], np.sum(per_model, axis=0))
        return *_around(value, rows, n), f"t over {len(rows)} documents or clusters, the same for every size", n
    halves = []
    for influences, item in zip(per_model, known, strict=True):
        low, high = _around(0.0, by_cluster(item[0], influences), len(item[0].documents))
        if low is None or high is None:
            return None, None, "none: one document has no spread", n
        halves.append((high - low) / 2)
    half = math.sqrt(sum(one**2 for one in halves))
    return value - half, value + half, "of the slopes' own intervals, taken as independent", n


def _told(value: float, low: float | None, high: float | None, scatter_low: float, scatter_high: float) -> str:
    sure = low is not None and high is not None and (low > 0 or high < 0)
    careful = scatter_low > 0 or scatter_high < 0
    if not sure:
        return "that the slope changes with size can't be told from 0"
    if not careful:
        return "told from 0 for these models; the sizes scatter too much to say it of others"
    return f"the slope {'rises' if value > 0 else 'falls'} with size"


def _nothing(run: Run, settings: FewShotSlopeSettings) -> Finding:
    tasks = [cell for cell in run.cells if cell.measure == "task"]
    if settings.where and not any(selects(settings.where, cell) for cell in tasks):
        why = why_nothing(settings.where, tasks)
    else:
        why = (
            f"no task was asked with two numbers of shots and judged by {' or '.join(settings.of)}; "
            "ask with `shots: [0, 1, 2, 4]`"
        )
    return Finding(analysis="few_shot_slope", name="slope", note=f"no slope: {why}")


FEW_SHOT_SLOPE = Analysis(
    name="few_shot_slope",
    about="What worked examples bring: a score's slope per doubling of shots + 1, and that slope over model size",
    settings=FewShotSlopeSettings,
    run=run,
)
