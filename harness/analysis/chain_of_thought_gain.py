"""What the steps bring: right answers with chain of thought less right answers at once, over model size.

Wei et al. 2022 (arXiv:2201.11903) found that chain of thought costs small models answers and helps large ones. Here the
gain stands with its interval at every size, and the crossover, the size from which on it is positive, with an interval
of its own or with the reason why it can't be told. Two accuracies of the same documents are paired by document.

A gain may be the extraction's: answers that no filter found are wrong in both ways, but not equally often. Their shares
stand beside every gain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.counts_table import Unit, shares
from harness.analysis.per_document import PerDocument, by_cluster, per_document, together
from harness.analysis.selection import Point, counterpart, describe, listed, points, selects, why_nothing
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run
from harness.statistics.sign_change import SignChange, sign_change

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALONE = "all models"
"""The family of models that nobody put into one."""
REPLICATES = 4000
RIGHT = ("exact_match", "acc", "pass@1")


class ChainOfThoughtGainSettings(AnalysisSettings):
    """What is compared over what."""

    of: list[str] = Field(default=list(RIGHT), min_length=1)
    """Metrics that are a share of right answers: the first of them that a task has in both ways."""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """The size: all parameters, or those that are not embeddings."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values; `part: strict-match` for one way of extracting answers."""
    families: dict[str, list[str]] = Field(default={})
    """Models that are sizes of one thing, by the family's name; left out, all models are one family."""


def gains(frame: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """The gain of chain of thought of every row, in percentage points, unpaired: of published tables.

    frame: columns `task`, `parameters` (may be missing: no place on an axis), `direct` or `standard`, `cot`, `n`
    (documents), and optionally `family`. unit: what they count: `correct` documents, `percent` or `share`.
    Returns the rows in order of task, family and size with `direct`, `cot`, `gain`, `low` and `high` in percent; the
    interval is Newcombe's of independent shares, too wide where the same documents were asked. Raises UserError for
    columns that are missing, rows that come twice, and numbers that can't be what the unit says.
    """
    from harness.statistics.proportions import independent_difference

    table = frame.rename(columns={"standard": "direct"})
    table = shares(table, ("direct", "cot"), unit, analysis="chain_of_thought_gain", keys=("task", "family"))
    rows = []
    for row in table.to_dict("records"):
        change = independent_difference(row["direct_share"], row["n"], row["cot_share"], row["n"])
        direct, cot = row["direct_percent"], row["cot_percent"]
        ends = {"low": 100 * (change.low or 0.0), "high": 100 * (change.high or 0.0)}
        told = {key: row[key] for key in ("task", "family", "parameters", "n")}
        rows.append(told | {"direct": direct, "cot": cot, "gain": round(cot - direct, 10)} | ends)
    import pandas as pd

    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Crossover:
    """Where the gain turns positive, of one family on one task."""

    task: str
    family: str
    change: SignChange


def crossovers(table: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> list[Crossover]:
    """Of each task and family of `gains`, the parameters from which on chain of thought pays.

    The interval is a percentile bootstrap: both counts are drawn again from their binomials, `replicates` times.
    """
    import numpy as np

    found = []
    for (task, family), rows in table.dropna(subset=["parameters"]).groupby(["task", "family"], sort=False):
        rows = rows.sort_values("parameters")
        generator = np.random.default_rng(seed)
        n = rows["n"].to_numpy(dtype=np.int64)
        drawn = [
            generator.binomial(n, rows[way].to_numpy(dtype=float) / 100, size=(replicates, len(n))) / n
            for way in ("direct", "cot")
        ]
        change = sign_change(rows["parameters"], rows["gain"], rows["low"], rows["high"], drawn[1] - drawn[0])
        found.append(Crossover(str(task), str(family), change))
    return found


@dataclass(frozen=True)
class Average:
    """Means over tasks in percent, with the interval of the gain."""

    direct: float
    cot: float
    gain: float
    low: float
    high: float
    tasks: int


def average(table: pd.DataFrame, groups: dict[str, str] | None = None) -> Average:
    """The mean over tasks of one model's rows of `gains`.

    groups: task -> what it is a part of; parts are averaged before the mean is taken over the rest. The interval takes
    the tasks as fixed and their documents as drawn, independently in both ways: normal, and too wide for documents
    that both ways share. Raises UserError where a task has several rows.
    """
    from statistics import NormalDist

    from harness.errors import UserError

    if table["task"].duplicated().any():
        twice = table["task"][table["task"].duplicated()].iloc[0]
        raise UserError(f"`{twice}` has several rows: take those of one model", place="chain_of_thought_gain: average")
    whole = table["task"].map(lambda task: (groups or {}).get(task, task))
    weight = 1 / (whole.map(whole.value_counts()) * whole.nunique())
    variance = sum(row / 100 * (1 - row / 100) / table["n"] for row in (table["direct"], table["cot"]))
    error = 100 * math.sqrt(float((weight**2 * variance).sum()))
    direct, cot = (float((weight * table[way]).sum()) for way in ("direct", "cot"))
    half = NormalDist().inv_cdf(0.975) * error
    return Average(direct, cot, cot - direct, cot - direct - half, cot - direct + half, int(whole.nunique()))


@dataclass(frozen=True)
class _Pair:
    """One model on one task in both ways."""

    direct: Point
    cot: Point
    size: int
    paired: tuple[PerDocument, PerDocument] | None

    @property
    def model(self) -> str:
        return self.cot.cell.model


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
            wanted = "part" not in settings.where or at.get("part") in listed(settings.where["part"])
            if at.get("reasoning") != "cot" or not wanted or not selects(settings.where, point.cell):
                continue
            direct = counterpart(at, {"reasoning": "direct"}, having)
            key = f"{point.cell.identity} {at.get('part')}"
            if direct is not None and key not in found:
                size = getattr(point.record, settings.over) or 0
                found[key] = _Pair(direct, point, size, _evidence(direct, point))
    return list(found.values())


def _evidence(direct: Point, cot: Point) -> tuple[PerDocument, PerDocument] | None:
    evidence = per_document(direct), per_document(cot)
    if evidence[0] is None or evidence[1] is None:
        return None
    base, head = together([evidence[0], evidence[1]])
    return (base, head) if len(base.documents) > 1 else None


def _shared(pair: _Pair) -> dict[str, Scalar]:
    """What a ladder has in common: all but the model and the way."""
    at = pair.cot.coordinates | {"metric": pair.cot.record.metric}
    return {name: value for name, value in at.items() if name not in ("model", "reasoning")}


def _ladder(ladder: Sequence[_Pair], family: str, settings: ChainOfThoughtGainSettings) -> list[Finding]:
    at = _shared(ladder[0])
    subject: dict[str, Scalar] = {"family": family} if settings.families else {}
    subject |= {name: at[name] for name in ("precision", "task", "shots", "part", "metric") if name in at}
    each = [_gain(pair, subject) for pair in ladder]
    return [*each, _crossover(ladder, each, subject, settings)]


def _gain(pair: _Pair, subject: dict[str, Scalar]) -> Finding:
    change = _paired(pair) or _unpaired(pair)
    failures = [_failures(point) for point in (pair.direct, pair.cot)]
    return Finding(
        analysis="chain_of_thought_gain",
        name="gain",
        unit="percentage points",
        subject=subject | {"model": pair.model, "parameters": pair.size},
        note=_note(pair, failures),
        data={
            "direct": pair.direct.record.value,
            "cot": pair.cot.record.value,
            "extraction_failure": {"direct": failures[0], "cot": failures[1]},
        },
        **change,
    )


def _paired(pair: _Pair) -> dict[str, Any] | None:
    """By document: Newcombe's paired interval of answers that are right or wrong, else Student's t."""
    import numpy as np

    from harness.statistics.intervals import ratio_of_sums
    from harness.statistics.paired_proportions import clustered_difference

    if pair.paired is None:
        return None
    base, head = pair.paired
    scores = [item.sums / item.weights for item in pair.paired]
    if all(np.isin(score, (0.0, 1.0)).all() for score in scores):
        found = clustered_difference(scores[0], scores[1], head.clusters)
        how = "Newcombe, paired by document"
    else:
        change = by_cluster(head, np.stack([scores[1] - scores[0], np.ones(len(base.documents))], axis=1))
        found = ratio_of_sums(change[:, 0], change[:, 1])
        how = "t, paired by document"
    low, high = (None if end is None else 100 * end for end in (found.low, found.high))
    return {"value": 100 * found.value, "low": low, "high": high, "interval": how, "n": len(base.documents)}


def _unpaired(pair: _Pair) -> dict[str, Any]:
    """Of the two shares alone, as if other documents had been asked."""
    from harness.statistics.proportions import independent_difference

    direct, cot = pair.direct.record, pair.cot.record
    value = (cot.value or 0.0) - (direct.value or 0.0)
    if not direct.n or not cot.n:
        return {"value": 100 * value, "interval": "none: the number of documents is not known"}
    found = independent_difference(direct.value or 0.0, direct.n, cot.value or 0.0, cot.n)
    how = "Newcombe, unpaired: the two ways did not answer the same documents"
    low, high = (None if end is None else 100 * end for end in (found.low, found.high))
    return {"value": 100 * found.value, "low": low, "high": high, "interval": how, "n": found.n}


def _failures(point: Point) -> float | None:
    """The share of answers in which the same filter found nothing."""
    return next(
        (r.value for r in point.cell.records if r.metric == "extraction_failure" and r.part == point.record.part), None
    )


def _note(pair: _Pair, failures: Sequence[float | None]) -> str:
    direct, cot = (point.record.value or 0.0 for point in (pair.direct, pair.cot))
    words = [f"{direct:.1%} at once, {cot:.1%} with steps"]
    if direct == cot == 0 and pair.cot.record.n:
        least = _least(pair.cot.record.n)
        words = [f"no right answer in either way: accuracies up to {least:.2g} % can't be told from 0 with this n"]
    if any(share for share in failures):
        shown = ["not known" if share is None else f"{share:.1%}" for share in failures]
        words.append(f"no answer found in {shown[0]} and {shown[1]}")
        if failures[0] is not None and failures[1] is not None and abs(failures[1] - failures[0]) > 0.1:
            words.insert(0, "the two ways differ in how often an answer was found at all")
    return "; ".join(words)


def _least(n: int) -> float:
    """The accuracy in percent of which n documents show nothing with a chance of 5 %: the rule of three."""
    return float(100 * (1 - 0.05 ** (1 / n)))


def _crossover(
    ladder: Sequence[_Pair], each: Sequence[Finding], subject: dict[str, Scalar], settings: ChainOfThoughtGainSettings
) -> Finding:
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
        _draws(ladder),
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


def _draws(ladder: Sequence[_Pair]) -> Floats:
    """(replicates, sizes): gains under other documents, the same ones for every size where all sizes answered them."""
    import numpy as np

    from harness.statistics.bootstrap import resampled_means

    known = [pair.paired for pair in ladder if pair.paired is not None]
    if len(known) == len(ladder):
        heads = together([head for _, head in known])
        bases = together([base for base, _ in known])
        if len(heads[0].documents) == len(known[0][1].documents):
            change = np.stack([h.sums / h.weights - b.sums / b.weights for b, h in zip(bases, heads, strict=True)], 1)
            rows = by_cluster(heads[0], np.concatenate([change, np.ones_like(change)], axis=1))
            return resampled_means(rows[:, : len(ladder)], rows[:, len(ladder) :], REPLICATES, seed=0)
    generator = np.random.default_rng(0)
    columns = []
    for pair in ladder:
        drawn = [
            generator.binomial(point.record.n or 1, point.record.value or 0.0, REPLICATES) / (point.record.n or 1)
            for point in (pair.direct, pair.cot)
        ]
        columns.append(drawn[1] - drawn[0])
    return np.stack(columns, axis=1)


def _nothing(run: Run, settings: ChainOfThoughtGainSettings) -> Finding:
    tasks = [cell for cell in run.cells if cell.measure == "task"]
    if settings.where and not any(selects(settings.where, cell) for cell in tasks):
        why = why_nothing(settings.where, tasks)
    else:
        why = (
            f"no task was asked both ways and judged by {' or '.join(settings.of)}"
            f"{' where ' + describe(settings.where) if settings.where else ''}; ask with `reasoning: [direct, cot]`"
        )
    return Finding(analysis="chain_of_thought_gain", name="gain", note=f"nothing to compare: {why}")


def curves(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings that hold a ladder: what a chart draws."""
    return (
        item for item in findings if item.analysis == "chain_of_thought_gain" and len(item.data.get("points", ())) > 1
    )


CHAIN_OF_THOUGHT_GAIN = Analysis(
    name="chain_of_thought_gain",
    about="Right answers with chain of thought less those at once, over size, and where it begins to pay",
    settings=ChainOfThoughtGainSettings,
    run=run,
)
