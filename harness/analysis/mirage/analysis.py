"""Is a jump over size in the task or in the metric? The battery of `mirage_battery` on a suite's ladder of models.

It reads the samples that are there: exact match and edit similarity of what was written, token accuracy and the
likelihood of the right answer (`likelihood: true` on written answers, always on likelihood tasks), accuracy, Brier
score and likelihood of choices, pass@1 of programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.mirage.answers_of_samples import answers_of_samples
from harness.analysis.mirage.battery import Battery, battery
from harness.analysis.mirage.curves import Curve
from harness.analysis.mirage.sizes import LengthTest, Resolution
from harness.charts import mirage as chart
from harness.errors import UserError
from harness.evidence.selection import coordinates, selects, why_nothing
from harness.results.finding import Finding
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run
from harness.results.samples import reading_samples

LEAST_SIZES = 3


class MirageSettings(AnalysisSettings):
    """What is looked at."""

    of: list[str] = Field(default=["exact_match", "acc", "pass@1"], min_length=1)
    """Metrics that say right or wrong: the first of them that a task has."""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values; `part: strict-match` for one way of extracting answers."""


def run(run: Run, settings: MirageSettings) -> list[Finding]:
    """Per task, way of asking and way of extracting: a verdict, then what each metric and each size say."""
    tasks = [cell for cell in run.cells if cell.measure == "task" and cell.status is Status.OK and cell.samples]
    chosen = [cell for cell in tasks if selects(settings.where, cell)]
    ladders: dict[str, list[CellResult]] = {}
    for cell in chosen:
        at = {name: value for name, value in coordinates(cell).items() if name != "model"}
        ladders.setdefault(repr(sorted(at.items())), []).append(cell)
    findings = [item for ladder in ladders.values() for item in _ladder(run, ladder, settings)]
    if findings:
        return findings
    why = why_nothing(settings.where, tasks) if not chosen else f"no task was asked of {LEAST_SIZES} sizes and judged"
    return [Finding(analysis="mirage", name="verdict", note=f"nothing to look at: {why}")]


def _ladder(run: Run, ladder: Sequence[CellResult], settings: MirageSettings) -> Iterator[Finding]:
    """Every task and part of cells that differ in the model alone."""
    import pandas as pd

    sizes = [next((getattr(record, settings.over) for record in cell.records), None) for cell in ladder]
    sized = [(size, cell) for size, cell in zip(sizes, ladder, strict=True) if size]
    if len({size for size, _ in sized}) < LEAST_SIZES:
        return
    tables: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    chances: dict[tuple[str, str, str], float] = {}
    for size, cell in sized:
        with reading_samples(run.samples_file(cell)):
            answers = list(answers_of_samples(run.samples_of(cell), settings.of, settings.where.get("part")))
        for found in answers:
            key = (found.task, found.part, found.metric)
            tables.setdefault(key, []).append(pd.DataFrame(found.rows).assign(parameters=float(size)))
            chances[key] = found.chance
    models = {float(size): cell.model for size, cell in sized}
    for (task, part, metric), each in tables.items():
        table = pd.concat(each)
        if table["parameters"].nunique() < LEAST_SIZES:
            continue
        at = coordinates(ladder[0]) | {"metric": metric, "task": task} | ({"part": part} if part else {})
        named = ("precision", "task", "shots", "reasoning", "part", "metric")
        subject = {name: at[name] for name in named if name in at}
        try:
            result = battery(table, chances[task, part, metric], metric)
        except UserError as error:
            yield Finding(analysis="mirage", name="verdict", subject=subject, note=f"not decided: {error.message}")
            continue
        yield from _findings(result, subject, models)


def _findings(result: Battery, subject: dict[str, Scalar], models: Mapping[float, str]) -> Iterator[Finding]:
    common: dict[str, Any] = {"analysis": "mirage"}
    yield Finding(
        **common,
        name="verdict",
        n=result.documents,
        subject=subject,
        note=f"{result.verdict}: {result.why}",
        data=_data(result, subject, models),
    )
    for curve in result.curves:
        yield _of_metric(curve, result, subject)
    for size in (result.resolution[0], result.resolution[-1]):
        yield from _of_likelihood(size, subject | {"model": models.get(size.parameters, "")})
    for test in result.lengths[-1:]:
        yield _of_lengths(test, result, subject | {"model": models.get(test.parameters, "")})


def _of_likelihood(size: Resolution, at: dict[str, Scalar]) -> Iterator[Finding]:
    """E[log p] and log E[p] of the right answer, which differ by how much the easiest documents count."""
    if size.mean_log_p is None or size.log_mean_p is None:
        return
    chances = ", ".join(f"pass@{k} {chance:.2g}" for k, chance in size.pass_at)
    for name, value, error, note in (
        ("mean_log_p", size.mean_log_p, size.mean_log_p_error, "E[log p] of the right answer"),
        ("log_mean_p", size.log_mean_p, size.log_mean_p_error, f"log E[p]: the easiest documents make it; {chances}"),
    ):
        half = None if error is None else 1.959964 * error
        yield Finding(
            analysis="mirage",
            name=name,
            value=value,
            unit="nats",
            low=None if half is None else value - half,
            high=None if half is None else value + half,
            interval="normal over documents; of log E[p] by the delta method",
            n=size.n,
            subject=at,
            note=note,
        )


def _of_lengths(test: LengthTest, result: Battery, at: dict[str, Scalar]) -> Finding:
    """Whether right answers are as many as independent tokens would make."""
    words = [
        f"measured {test.token_accuracy:.3g}, which predicts {test.predicted:.2%} right, and {test.observed:.2%} are"
    ]
    if not test.low <= test.token_accuracy <= test.high:
        words.insert(0, "right answers are not that power of token accuracy: an answer's tokens are not independent")
    if test.misfit_p is not None:
        words.append(f"log accuracy linear in the answer's length: p = {test.misfit_p:.2g}")
    return Finding(
        analysis="mirage",
        name="implied_token_accuracy",
        value=test.implied,
        unit="share",
        low=test.low,
        high=test.high,
        interval="likelihood ratio of P(right) = q^K",
        n=result.documents,
        subject=at,
        note="; ".join(words),
    )


def _of_metric(curve: Curve, result: Battery, subject: dict[str, Scalar]) -> Finding:
    words: list[str] = [curve.state]
    if curve is result.curves[0]:
        words += [_zeros(result)] if any(size.right == 0 for size in result.resolution) else []
    words.append(f"{curve.values[0]:.3g} to {curve.values[-1]:.3g}")
    words.append(f"the first {curve.flat} of {len(result.sizes)} sizes are alike")
    if result.straight is not None and curve.progress is not None:
        words.append(f"a line in log size would have {result.straight:.2g}")
    if curve.break_p is not None:
        words.append(f"smooth against hinge p = {curve.break_p:.2g}")
    words.append(f"breakthroughness {curve.breakthroughness:.2g}")
    return Finding(
        analysis="mirage",
        name=f"progress_{curve.metric}",
        value=curve.progress,
        unit="share of its gain",
        low=curve.progress_low,
        high=curve.progress_high,
        interval=None if curve.progress is None else f"percentile over draws, {curve.interval.split(' over ')[-1]}",
        n=result.documents,
        subject=subject,
        note="; ".join(words),
    )


def _zeros(result: Battery) -> str:
    """Beside every zero, what it can hide."""
    none = [size for size in result.resolution if size.right == 0]
    told = f"none right of {none[0].n} at {len(none)} sizes, which shows nothing up to {none[0].least:.2%}"
    known = [f"{size.all_wrong:.2g}" for size in none if size.all_wrong is not None]
    return told + (f" (by the likelihoods all wrong had a chance of {', '.join(known)})" if known else "")


def _data(result: Battery, subject: dict[str, Scalar], models: Mapping[float, str]) -> dict[str, Any]:
    """What a chart draws: every metric at every size."""
    return {
        "verdict": result.verdict,
        "why": result.why,
        "title": ", ".join(str(subject[name]) for name in ("task", "part", "reasoning") if subject.get(name)),
        "flat": result.curves[0].flat,
        "straight": result.straight,
        "resolution": [asdict(size) for size in result.resolution],
        "lengths": [asdict(test) for test in result.lengths],
        "curves": [
            {
                "metric": curve.metric,
                "unit": curve.unit,
                "state": curve.state,
                "points": [
                    {"model": models.get(size, ""), "size": size, "value": value, "low": low, "high": high}
                    for size, value, low, high in zip(result.sizes, curve.values, curve.lows, curve.highs, strict=True)
                ],
            }
            for curve in result.curves
        ],
    }


MIRAGE = Analysis(
    name="mirage",
    about="Is a jump over size in the task or in the metric: the same answers under exact match and smooth metrics",
    settings=MirageSettings,
    run=run,
    charts=(chart.CHART,),
)
