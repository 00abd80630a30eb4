"""Whether the quality of one cell got worse from one run to another: one metric, judged document by document.

Equal outputs pass at once. What is broken (a document that the head lost, a loss that is not a number, outputs that had
to be the same bit for bit) fails at once. All else is a question for `statistics.quality_decision`: losses by flipping
signs, with a margin that is a share of the base's mean in nats; scores by McNemar's test and a bound, with a margin
that is one of the scale. A probe is looked at more closely beforehand: see `paired_quality_probe`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.comparison.paired_quality_documents import (
    PairedDocuments,
    Unpaired,
    counted,
    listed,
    paired_documents,
    paired_rows,
)
from harness.comparison.paired_quality_wording import sentence
from harness.evidence.per_document import PerDocument
from harness.evidence.selection import Point
from harness.results.record import Direction
from harness.statistics.intervals import Interval
from harness.statistics.paired_proportions import PairedCounts, paired_counts
from harness.statistics.quality_decision import Means, judge_losses, judge_scores
from harness.statistics.speed_decision import Decision

if TYPE_CHECKING:
    import pandas as pd

RELATIVE = "of the base's mean"
"""Unit of a loss's margin."""
ABSOLUTE = "of the scale"
"""Unit of a score's margin: 0.02 are 2 of 100 answers."""
SHARES = ("fraction", "share")
"""Units of scores between 0 and 1 of which less is better."""


@dataclass(frozen=True)
class PairedQuality:
    """The verdict on one metric of one cell."""

    decision: Decision
    sentence: str
    """What was found, with the numbers, and why it is this decision."""
    change: Interval
    """Head less base in `unit`, with its 95 % interval; nan where there is none."""
    unit: str
    """Of the margin: `RELATIVE` or `ABSOLUTE`."""
    p: float
    """One-sided p-value of "not worse", for the watched set: 1 for equal outputs, 0 for what is broken."""
    smallest_seen: float | None
    """The smallest loss that is told from none with a chance of 80 %, in `unit`."""
    log_evidence: float
    """log(1 / p). A FAIL needs log(1 / alpha) of it at least; infinite where it is certain. The documents are all there
    at once, so that with K tests in a command alpha / K for each is enough. It is no e-value that may be multiplied."""
    worse_by: float = 0.0
    """The change, positive where the head is worse."""
    documents: int = 0
    """Pairs that were judged."""
    clusters: int = 0
    """Of them what is independent."""
    details: dict[str, Any] = field(default_factory=dict)
    """Plain data beside it: lost, won, mid-p, mean divergence, agreement."""
    incomparable: str | None = None
    """Why the two can't be compared at all (the task was edited, another tokenizer); the decision is INCONCLUSIVE
    then."""


def judge_quality(
    base: Point,
    head: Point,
    margin: float,
    *,
    alpha: float = 0.01,
    pass_alpha: float = 0.05,
    bitwise: bool = False,
    kl_margin: float | None = None,
) -> PairedQuality:
    """The verdict on one metric that both runs have.

    margin: of losses a share of the base's mean (0.01 is 1 % more nats, for perplexity too), of scores between 0 and 1
    a part of the scale (0.02 are 2 of 100 answers). alpha: of a false FAIL, already shared among the command's tests.
    pass_alpha: of a PASS where the loss is the margin or more. bitwise: all that differs is a FAIL. kl_margin: of a
    probe, the mean divergence in nats per token above which it is a FAIL whatever the loss; None: any. Raises UserError
    where samples can't be read, and ValueError for a margin that is none.
    """
    _check(margin, alpha, pass_alpha)
    from harness.comparison.paired_quality_probe import is_probe, probe_verdict

    what = _Metric(str(base.record.metric), str(base.record.unit), base.record.direction)
    found = paired_documents(base, head)
    rows = base.run.samples_of(base.cell), head.run.samples_of(head.cell)
    verdict = _verdict(what, head.record.value, found, margin, alpha, pass_alpha, bitwise)
    return probe_verdict(*rows, verdict, kl_margin) if is_probe(*rows) else verdict


def judge_probes(
    base: pd.DataFrame,
    head: pd.DataFrame,
    margin: float,
    *,
    alpha: float = 0.01,
    pass_alpha: float = 0.05,
    bitwise: bool = False,
    kl_margin: float | None = None,
) -> PairedQuality:
    """The verdict on two samples of the measure `probe` that lie in no run, by their bits per byte.

    base, head: as `PROBE.collect` gives them. All else as in `judge_quality`. Raises LookupError for other columns.
    """
    _check(margin, alpha, pass_alpha)
    from harness.comparison.paired_quality_probe import probe_verdict
    from harness.evidence.per_document import of_rows
    from harness.measures.probe import PROBE_BITS_PER_BYTE as METRIC

    assert METRIC.sums is not None
    a, b = of_rows(base, METRIC.sums), of_rows(head, METRIC.sums)
    found = paired_rows(base, head, a, b)
    what = _Metric(METRIC.name, METRIC.unit, METRIC.direction)
    verdict = _verdict(what, float(b.sums.sum()), found, margin, alpha, pass_alpha, bitwise)
    return probe_verdict(base, head, verdict, kl_margin)


@dataclass(frozen=True)
class _Metric:
    """What is judged."""

    name: str
    unit: str
    direction: Direction


def _verdict(
    what: _Metric,
    value: float | None,
    found: PairedDocuments | Unpaired,
    margin: float,
    alpha: float,
    pass_alpha: float,
    bitwise: bool,
) -> PairedQuality:
    """By the documents alone. value: the head's."""
    if isinstance(found, Unpaired):
        return _undecided(what, found)
    if (broken := _broken(what, value, found)) is not None:
        return broken
    if (equal := _equal(what, found)) is not None and (found.identical or not bitwise):
        return equal
    if bitwise:
        return _certain(what, found, "the outputs differ, and `bitwise` asks for the same bits")
    return _judged(what, found, margin, alpha, pass_alpha)


def _check(margin: float, alpha: float, pass_alpha: float) -> None:
    if not 0 < margin < inf:
        raise ValueError(f"a margin is a number above 0, such as 0.01, not {margin}")
    if not (0 < alpha < 1 and 0 < pass_alpha < 1):
        raise ValueError("chances of errors lie between 0 and 1")


def _broken(what: _Metric, value: float | None, found: PairedDocuments) -> PairedQuality | None:
    """What needs no test."""
    before, after = found.base, found.head
    if bad := _not_finite(before):
        return replace(
            _certain(what, found, f"{listed(bad)} gave no finite number in the base already"),
            decision=Decision.INCONCLUSIVE,
            p=1.0,
            log_evidence=0.0,
        )
    if bad := _not_finite(after):
        return _certain(what, found, f"{listed(bad)} gave no finite number in the head")
    if found.lost:
        count = f"{len(found.lost)} of {len(found.lost) + len(before.documents)} documents that the base scored"
        return _certain(what, found, f"{count} are not scored in the head: {listed(found.lost)}")
    if value is None or not isfinite(value):
        return _certain(what, found, f"it is {value} in the head")
    return None


def _equal(what: _Metric, found: PairedDocuments) -> PairedQuality | None:
    """What passes at once."""
    a, b = found.base, found.head
    n = len(a.documents)
    if found.identical:
        why = f"all outputs are the same, bit for bit ({counted(n)})"
    elif bool((a.sums == b.sums).all() and (a.weights == b.weights).all()):
        why = f"every one of {counted(n)} has the same score"
    else:
        return None
    return PairedQuality(
        decision=Decision.PASS,
        sentence=f"{what.name}: {why}",
        change=Interval(0.0, 0.0, 0.0, n),
        unit=_unit(what, found),
        p=1.0,
        smallest_seen=None,
        log_evidence=0.0,
        documents=n,
        clusters=len(set(a.clusters)),
        details={"equal": "bits" if found.identical else "scores"},
    )


def _judged(what: _Metric, found: PairedDocuments, margin: float, alpha: float, pass_alpha: float) -> PairedQuality:
    a, b = Means(found.base.sums, found.base.weights), Means(found.head.sums, found.head.weights)
    unit, better = _unit(what, found), 1 if what.direction is Direction.HIGHER else -1
    judge = judge_scores if unit == ABSOLUTE else judge_losses
    try:
        judged = judge(a, b, found.base.clusters, margin=margin, alpha=alpha, pass_alpha=pass_alpha, better=better)
    except ValueError as error:
        return _undecided(what, Unpaired(str(error), is_incomparable=False))
    details = _counts(found, better) if unit == ABSOLUTE else {}
    from_nothing = unit == RELATIVE and a.mean == 0
    return PairedQuality(
        decision=judged.decision,
        sentence=sentence(what.name, judged, unit == ABSOLUTE, margin, alpha, len(found.base.documents), details)
        + ("; the base's mean is 0, so that shares are of the unit itself" if from_nothing else ""),
        change=judged.change,
        unit=unit,
        p=judged.p,
        smallest_seen=judged.smallest_seen,
        log_evidence=inf if judged.p == 0 or (judged.by_rule and judged.decision is Decision.FAIL) else -log(judged.p),
        worse_by=judged.worse_by,
        documents=len(found.base.documents),
        clusters=judged.units,
        details=details,
    )


def _counts(found: PairedDocuments, better: int) -> dict[str, Any]:
    """Of scores that say right or wrong how many were lost and won, with McNemar's one-sided p-values."""
    from harness.statistics.mcnemar import worse

    before, after = found.base.sums / found.base.weights, found.head.sums / found.head.weights
    if not (np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all()):
        return {}
    good = 1.0 if better > 0 else 0.0
    counts: PairedCounts = paired_counts(before == good, after == good)
    told: dict[str, Any] = {"lost": int(counts.only_base), "won": int(counts.only_head)}
    if len(set(found.base.clusters)) == len(found.base.clusters):
        exact, mid = worse(counts)
        told |= {"mcnemar_exact": exact, "mcnemar_mid_p": mid}
    return told


def _unit(what: _Metric, found: PairedDocuments) -> str:
    """Scores between 0 and 1 have a margin of the scale, all else one of the base's mean."""
    if what.direction is not Direction.HIGHER and what.unit not in SHARES:
        return RELATIVE
    values = np.concatenate([side.sums / side.weights for side in (found.base, found.head)])
    return ABSOLUTE if bool(((values >= 0) & (values <= 1)).all()) else RELATIVE


def _not_finite(side: PerDocument) -> list[str]:
    return [name for name, value in zip(side.documents, side.sums, strict=True) if not isfinite(value)]


def _certain(what: _Metric, found: PairedDocuments, why: str) -> PairedQuality:
    """A FAIL that is no matter of chance."""
    return PairedQuality(
        decision=Decision.FAIL,
        sentence=f"{what.name}: {why}",
        change=Interval(np.nan, None, None, len(found.base.documents)),
        unit=_unit(what, found),
        p=0.0,
        smallest_seen=None,
        log_evidence=inf,
        documents=len(found.base.documents),
        clusters=len(set(found.base.clusters)),
    )


def _undecided(what: _Metric, found: Unpaired) -> PairedQuality:
    return PairedQuality(
        decision=Decision.INCONCLUSIVE,
        sentence=f"{what.name}: {found.reason}",
        change=Interval(np.nan, None, None, 0),
        unit=RELATIVE,
        p=1.0,
        smallest_seen=None,
        log_evidence=0.0,
        incomparable=found.reason if found.is_incomparable else None,
    )
