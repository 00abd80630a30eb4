"""Emergence of what a run's models answer: a verdict for each task over the models' sizes, or over their loss.

A curve is one task at one point of the matrix (shots, reasoning, precision) under one metric that counts right
answers; its scales are the models. What happens to the counts is in `emergence_of_counts`, what the verdicts mean in
`emergence_verdict`. Abilities that are sudden over the size are often smooth over the loss: ask for both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.emergence.counts import emergence
from harness.analysis.emergence.verdict import LEAST_SCALES, SCATTER, Emergence, Verdict
from harness.charts import emergence as chart
from harness.errors import UserError
from harness.evidence.definition import why_no_ranking
from harness.evidence.selection import Point, of_cell, points, selects, varying_within_models, why_nothing
from harness.results.finding import Finding
from harness.results.record import CellResult, Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

BROKEN = (Verdict.EMERGENT, Verdict.BREAKS)
"""Verdicts that say where a break is."""
SHARE = "share"
"""The unit of metrics that are right answers over answers."""


class EmergenceSettings(AnalysisSettings):
    """Which curves are looked at, and how strictly."""

    of: list[str] = Field(default=["acc", "exact_match"], min_length=1)
    """Metrics that count right answers: acc, acc_norm, exact_match … A cell gives a curve for each that it has."""
    over: Literal["parameters", "parameters_non_embedding", "loss"] = "parameters"
    """The scale: all parameters, those that are not embeddings, or the loss that the suite measures on a text."""
    text: str | None = None
    """Over loss: on which text; left out, the first that was measured."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values, such as `{shots: 0}`."""
    tasks: list[str] | None = Field(default=None, min_length=1)
    """Which tasks; left out, all."""
    chance: float | None = Field(default=None, ge=0, lt=1)
    """The chance level where a task tells none (written answers): 0 if left out, and then any right answer is above
    chance. Give 0.02, say, where a few lucky answers are no ability."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """False alarms that are accepted, over all tasks together."""
    rise: float = Field(default=0.2, gt=0, lt=1)
    """A curve is only called flat if it had shown a rise of this much above chance with 80 % power."""
    replicates: int = Field(default=1000, ge=99, le=100_000)
    """Bootstrap replicates of each test; more where one of many tasks could not stand out with these."""


def run(run: Run, settings: EmergenceSettings) -> list[Finding]:
    """A group of findings per curve: the verdict first, then what it rests on."""
    having = [point for metric in settings.of for point in points(run, metric) if point.record.measure == "task"]
    if not having:
        return [_nothing(settings, f"the run has no task with {' or '.join(settings.of)}")]
    where = dict(settings.where) | ({"task": list(settings.tasks)} if settings.tasks else {})
    cells = list({point.cell.identity: point.cell for point in having}.values())
    chosen = [cell for cell in cells if selects(where, cell)]
    if not chosen:
        return [_nothing(settings, why_nothing(where, cells))]
    scales = _scales(run, settings)
    if isinstance(scales, str):
        return [_nothing(settings, scales)]
    subjects, table = _table(chosen, having, where, scales, settings)
    if table.empty:
        return [_nothing(settings, f"no cell has a number of right answers (unit {SHARE}) and a scale")]
    long_enough = table.groupby("task")["scale"].transform("nunique") >= 3
    short = [_nothing(settings, _too_few(table, name), subjects[name]) for name in table[~long_enough]["task"].unique()]
    if not long_enough.any():
        return short[:1]
    try:
        found = emergence(
            table[long_enough],
            smaller_is_stronger=settings.over == "loss",
            alpha=settings.alpha,
            replicates=settings.replicates,
            rise=settings.rise,
        )
    except UserError as error:
        return [_nothing(settings, str(error))]
    names = dict(zip(zip(table["task"], table["scale"], strict=True), table["model"], strict=True))
    return [
        *(item for curve in found for item in _findings(curve, subjects[curve.task], names, settings)),
        *short,
    ]


def _scales(run: Run, settings: EmergenceSettings) -> dict[str, float] | str:
    """The scale of every cell of a model at its axes, or why there is none."""
    if settings.over != "loss":
        found = {cell.identity: getattr(cell.records[0], settings.over) for cell in run.cells if cell.records}
        return {identity: float(size) for identity, size in found.items() if size}
    losses = [point for point in points(run, "loss") if math.isfinite(point.record.value or math.nan)]
    texts = list(dict.fromkeys(point.cell.settings.get("text") for point in losses))
    if not losses or (settings.text is not None and settings.text not in texts):
        there = f"; there are: {', '.join(map(str, texts))}" if texts else ""
        what = f" on {settings.text}" if settings.text else ""
        return f"the run has no loss{what}{there}: add the measure perplexity to the suite"
    text = settings.text or texts[0]
    read = [point.cell for point in losses if point.cell.settings.get("text") == text]
    if (why := why_no_ranking(read)) is not None:
        return f"the loss on {text} is no common scale of these models: {why}"
    at = {_models_axes(p.cell): float(p.record.value or 0) for p in losses if p.cell.settings.get("text") == text}
    return {cell.identity: at[_models_axes(cell)] for cell in run.cells if _models_axes(cell) in at}


def _models_axes(cell: CellResult) -> str:
    return repr((cell.model, sorted(cell.axes.items(), key=str)))


def _table(
    chosen: Sequence[CellResult],
    having: Sequence[Point],
    where: Mapping[str, Scalar | list[Scalar]],
    scales: Mapping[str, float],
    settings: EmergenceSettings,
) -> tuple[dict[str, dict[str, Scalar]], pd.DataFrame]:
    """What each curve is about, by its name, and the counts as `emergence` wants them."""
    import pandas as pd

    differing = varying_within_models(chosen)
    subjects: dict[str, dict[str, Scalar]] = {}
    rows = []
    for cell in chosen:
        chances = {r.part: r.value for r in cell.records if r.metric == "chance"}
        for point in (p for metric in settings.of for p in of_cell(cell, _of(metric, having), where)):
            record = point.record
            if record.unit != SHARE or record.n is None or cell.identity not in scales or _doubled(point, where):
                continue
            at = {name: value for name, value in point.coordinates.items() if name in {"task", "part", *differing}}
            subject = {**at, "of": record.metric, "over": settings.over}
            name = ", ".join(str(value) for value in subject.values())
            subjects[name] = subject
            told = chances.get(record.part, chances.get(None))
            rows.append(
                {
                    "task": name,
                    "model": cell.model,
                    "scale": scales[cell.identity],
                    "correct": (record.value or 0.0) * record.n,
                    "n": record.n,
                    "chance": (settings.chance or 0.0) if told is None else told,
                    "n_effective": effective_n(record.value or 0.0, record.low, record.high, record.n),
                }
            )
    return subjects, pd.DataFrame(rows)


def _of(metric: str, having: Sequence[Point]) -> list[Point]:
    return [point for point in having if metric in (point.record.metric, point.record.metric_id)]


def _doubled(point: Point, where: Mapping[str, Scalar | list[Scalar]]) -> bool:
    """Whether another extraction of the same answers is a curve already: the flexible one where both are there, and a
    vote where there was one answer."""
    if "part" in where:
        return False
    parts = [record.part for record in point.cell.records if record.metric == point.record.metric]
    strict = point.record.part == "strict-match" and "flexible-extract" in parts
    return strict or (point.record.part == "majority" and point.cell.settings.get("samples") in (None, 1))


def effective_n(share: float, low: float | None, high: float | None, n: float, quantile: float = 1.96) -> float:
    """How many independent items a share is worth by its 95 % interval, at most n.

    The n whose Wilson interval is as wide, which is p(1-p) / error^2 for large n and has a meaning at shares of 0 and 1
    too. Where items are independent that is n; where they come in clusters (questions on one passage) it is less. A
    share without an interval is worth n.
    """
    from harness.statistics.proportions import score_interval

    if low is None or high is None or not 0 <= low < high <= 1:
        return float(n)
    fewest, most = 1.0, float(n)
    for _ in range(60):
        middle = (fewest + most) / 2
        ends = score_interval(share, middle, quantile)
        fewest, most = (middle, most) if ends[1] - ends[0] > high - low else (fewest, middle)
    return float(n) if n - most < 0.01 * n + 0.5 else most


def _findings(
    curve: Emergence, subject: dict[str, Scalar], names: Mapping[tuple[str, float], str], settings: EmergenceSettings
) -> list[Finding]:
    """The verdict and the rise of every curve; tests and measures of suddenness of those that have a trend."""
    common: dict[str, Any] = {"analysis": "emergence", "subject": subject, "n": int(curve.n.min())}
    scatter = f"; the points scatter more than their items explain (p = {curve.misfit:.2g})"
    note = f"{curve.verdict}: {curve.why}" + (scatter if curve.misfit < SCATTER and "scatter" not in curve.why else "")
    b, trend = curve.breakthroughness, curve.p_trend_adjusted <= settings.alpha

    def p_value(name: str, what: str, adjusted: float, before: float) -> Finding:
        return Finding(
            name=name, value=adjusted, note=f"{what}, adjusted over the tasks; {before:.3g} before", **common
        )

    def beside_noise(name: str, value: float, null: float, p: float) -> Finding:
        return Finding(name=name, value=value, note=f"flat noise: up to {null:.3g} in 95 % (p = {p:.2g})", **common)

    found = [
        Finding(name="verdict", note=note, data=_chart(curve, names, settings), **common),
        Finding(
            name="rise",
            value=curve.rise,
            unit="share",
            low=curve.rise_low,
            high=curve.rise_high,
            interval="of rises: Newcombe's, as if the models had answered different items",
            note="the strongest model minus the weakest",
            **common,
        ),
        p_value("trend_p", "constant against smooth", curve.p_trend_adjusted, curve.p_trend),
        beside_noise("breakthroughness", b.breakthroughness, b.null_breakthroughness, b.p_breakthroughness),
    ]
    if not trend:
        return found
    found.append(beside_noise("linearity", b.linearity, b.null_linearity, b.p_linearity))
    if curve.p_break is not None and curve.p_break_adjusted is not None:
        found.append(p_value("break_p", "smooth against a break", curve.p_break_adjusted, curve.p_break))
    if curve.verdict in BROKEN:
        found.append(
            Finding(
                name="break",
                value=curve.break_scale,
                unit="nats/token" if settings.over == "loss" else "parameters",
                low=curve.break_low,
                high=curve.break_high,
                interval="of breaks: profile likelihood, from scale to scale",
                **common,
            )
        )
    if (ahead := curve.forward) is not None:
        verb = "exceeds it" if ahead.exceeds else "does not exceed it"
        limit = f"the smaller models' trend gives this to the strongest, at most {ahead.upper:.3f} (95 %)"
        note = f"{limit}; {ahead.observed:.3f} {verb}"
        found.append(Finding(name="foreseen", value=ahead.predicted, unit="share", note=note, **common))
    return found


def _chart(curve: Emergence, names: Mapping[tuple[str, float], str], settings: EmergenceSettings) -> dict[str, Any]:
    """Counts, fits and tests as plain data."""
    drawn = zip(curve.curve_scale.tolist(), curve.curve_smooth.tolist(), curve.curve_hinge.tolist(), strict=True)
    counts = zip(
        curve.scale.tolist(), curve.correct.tolist(), curve.n.tolist(), curve.n_effective.tolist(), strict=True
    )
    return {
        "verdict": str(curve.verdict),
        "over": settings.over,
        "chance": curve.chance,
        "p_trend": curve.p_trend_adjusted,
        "p_break": curve.p_break_adjusted,
        "break": curve.break_scale if curve.verdict in BROKEN else None,
        "points": [
            {"model": names[curve.task, scale], "scale": scale, "correct": correct, "n": n, "n_effective": worth}
            for scale, correct, n, worth in counts
        ],
        "fits": [{"scale": scale, "smooth": smooth, "hinge": hinge} for scale, smooth, hinge in drawn],
    }


def _too_few(table: pd.DataFrame, name: str) -> str:
    models = list(dict.fromkeys(table[table["task"] == name]["model"]))
    return (
        f"{len(models)} scale{'s are' if len(models) > 1 else ' is'} here ({', '.join(models)}); a curve needs 3 at "
        f"least, a verdict on emergence {LEAST_SCALES}"
    )


def _nothing(settings: EmergenceSettings, why: str, subject: Mapping[str, Scalar] | None = None) -> Finding:
    about = dict(subject) if subject else {"over": settings.over}
    return Finding(analysis="emergence", name="verdict", subject=about, note=f"{Verdict.NOT_DECIDED}: {why}")


EMERGENCE = Analysis(
    name="emergence",
    about="Is an ability emergent? Chance gate, constant against smooth against a break, over sizes or loss, per task",
    settings=EmergenceSettings,
    run=run,
    charts=(chart.CHART,),
)
