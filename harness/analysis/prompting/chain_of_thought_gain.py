"""What the steps bring: right answers with chain of thought less right answers at once, over model size.

Wei et al. 2022 (arXiv:2201.11903) found that chain of thought costs small models answers and helps large ones. Here the
gain stands with its interval at every size, and the crossover, the size from which on it is positive, with an interval
of its own or with the reason why it can't be told. Two accuracies of the same documents are paired by document.

A gain may be the extraction's: answers that no filter found are wrong in both ways, but not equally often. Their shares
stand beside every gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.prompting.paired_gain import REPLICATES, AskedTwice, asked_twice, drawn_gains, paired_gain
from harness.charts import chain_of_thought_gain as chart
from harness.evidence.selection import Point, counterpart, describe, points, selects_point, why_no_task
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run

ALONE = "all models"
"""The family of models that nobody put into one."""


class ChainOfThoughtGainSettings(AnalysisSettings):
    """What is compared over what."""

    of: list[str] = Field(default=["exact_match", "acc", "pass@1"], min_length=1)
    """Metrics that are a share of right answers: the first of them that a task has in both ways."""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values; `part: strict-match` for one way of extracting answers."""
    families: dict[str, list[str]] = Field(default={})
    """Models that are sizes of one thing, by the family's name; left out, all models are one family."""


@dataclass(frozen=True)
class _Pair:
    """One model on one task, at once and with chain of thought."""

    asked: AskedTwice
    size: int

    @property
    def model(self) -> str:
        return self.asked.head.cell.model


def run(run: Run, settings: ChainOfThoughtGainSettings) -> list[Finding]:
    """Per task, way of extracting and family: a gain per size, then the crossover."""
    pairs = _pairs(run, settings)
    if not pairs:
        return [_nothing(run, settings)]
    families = settings.families or {ALONE: list(dict.fromkeys(pair.model for pair in pairs))}
    findings: list[Finding] = []
    for family, models in families.items():
        ladders: dict[str, list[_Pair]] = {}
        for pair in pairs:
            if pair.model in models:
                ladders.setdefault(repr(sorted(_shared(pair).items())), []).append(pair)
        for ladder in ladders.values():
            findings += _ladder(sorted(ladder, key=lambda pair: pair.size), family, settings)
    return findings


def _pairs(run: Run, settings: ChainOfThoughtGainSettings) -> list[_Pair]:
    found: dict[str, _Pair] = {}
    for metric in settings.of:
        having = [point for point in points(run, metric) if point.cell.measure == "task"]
        for point in having:
            at = point.coordinates
            if at.get("reasoning") != "cot" or not selects_point(settings.where, point):
                continue
            direct = counterpart(at, {"reasoning": "direct"}, having)
            key = f"{point.cell.identity} {at.get('part')}"
            if direct is not None and key not in found:
                found[key] = _Pair(asked_twice(direct, point), getattr(point.record, settings.over) or 0)
    return list(found.values())


def _shared(pair: _Pair) -> dict[str, Scalar]:
    """What a ladder has in common: all but the model and the way."""
    point = pair.asked.head
    at = point.coordinates | {"metric": point.record.metric}
    return {name: value for name, value in at.items() if name not in ("model", "reasoning")}


def _ladder(ladder: Sequence[_Pair], family: str, settings: ChainOfThoughtGainSettings) -> list[Finding]:
    at = _shared(ladder[0])
    subject: dict[str, Scalar] = {"family": family} if settings.families else {}
    subject |= {name: at[name] for name in ("precision", "task", "shots", "part", "metric") if name in at}
    each = [_gain(pair, subject) for pair in ladder]
    return [*each, _crossover(ladder, each, subject, settings)]


def _gain(pair: _Pair, subject: dict[str, Scalar]) -> Finding:
    found = paired_gain(pair.asked)
    direct, cot = pair.asked.base, pair.asked.head
    failures = [_failures(point) for point in (direct, cot)]
    return Finding(
        analysis="chain_of_thought_gain",
        name="gain",
        value=100 * found.value,
        unit="percentage points",
        low=None if found.low is None else 100 * found.low,
        high=None if found.high is None else 100 * found.high,
        interval=found.interval,
        n=found.n,
        subject=subject | {"model": pair.model, "parameters": pair.size},
        note=_note(pair, failures),
        data={
            "direct": direct.record.value,
            "cot": cot.record.value,
            "extraction_failure": {"direct": failures[0], "cot": failures[1]},
        },
    )


def _failures(point: Point) -> float | None:
    """The share of answers in which the same filter found nothing."""
    return next(
        (r.value for r in point.cell.records if r.metric == "extraction_failure" and r.part == point.record.part), None
    )


def _note(pair: _Pair, failures: Sequence[float | None]) -> str:
    from harness.statistics.proportions import most_unseen

    direct, cot = (point.record.value or 0.0 for point in (pair.asked.base, pair.asked.head))
    n = pair.asked.head.record.n
    words = [f"{direct:.1%} at once, {cot:.1%} with steps"]
    if direct == cot == 0 and n:
        most = 100 * most_unseen(n)
        words = [f"no right answer in either way: accuracies up to {most:.2g} % can't be told from 0 with this n"]
    if any(share for share in failures):
        shown = ["not known" if share is None else f"{share:.1%}" for share in failures]
        words.append(f"no answer found in {shown[0]} and {shown[1]}")
        if failures[0] is not None and failures[1] is not None and abs(failures[1] - failures[0]) > 0.1:
            words.insert(0, "the two ways differ in how often an answer was found at all")
    return "; ".join(words)


def _crossover(
    ladder: Sequence[_Pair], each: Sequence[Finding], subject: dict[str, Scalar], settings: ChainOfThoughtGainSettings
) -> Finding:
    from harness.statistics.sign_change import sign_change

    common: dict[str, Any] = {
        "analysis": "chain_of_thought_gain",
        "name": "crossover",
        "unit": settings.over.replace("_", " "),
        "subject": subject,
    }
    sizes = [pair.size for pair in ladder]
    if min(sizes) <= 0 or len(set(sizes)) < len(sizes):
        why = "two models have the same size" if min(sizes) > 0 else "the size of a model is not known"
        return Finding(**common, note=f"not identified: {why}; choose with `where` or `families`")
    found = sign_change(
        sizes,
        [item.value or 0.0 for item in each],
        [item.low if item.low is not None else -math.inf for item in each],
        [item.high if item.high is not None else math.inf for item in each],
        drawn_gains([pair.asked for pair in ladder]),
    )
    told = "" if found.verdict == "between" else f"{found.verdict}: "
    return Finding(
        **common,
        value=found.at,
        low=found.low,
        high=found.high,
        interval=f"percentile over {REPLICATES} draws of the documents; open ends lie beyond the sizes measured"
        if found.at is not None
        else None,
        n=each[0].n,
        note=told + found.why,
        data={
            "over": settings.over,
            "verdict": found.verdict,
            "below": found.below,
            "above": found.above,
            "points": [
                {"model": pair.model, "size": pair.size, "value": item.value, "low": item.low, "high": item.high}
                | item.data
                for pair, item in zip(ladder, each, strict=True)
            ],
        },
    )


def _nothing(run: Run, settings: ChainOfThoughtGainSettings) -> Finding:
    why = why_no_task(settings.where, run) or (
        f"no task was asked both ways and judged by {' or '.join(settings.of)}"
        f"{' where ' + describe(settings.where) if settings.where else ''}; ask with `reasoning: [direct, cot]`"
    )
    return Finding(analysis="chain_of_thought_gain", name="gain", note=f"nothing to compare: {why}")


CHAIN_OF_THOUGHT_GAIN = Analysis(
    name="chain_of_thought_gain",
    about="Right answers with chain of thought less those at once, over size, and where it begins to pay",
    settings=ChainOfThoughtGainSettings,
    run=run,
    charts=(chart.CHART,),
)
