"""When paired documents are enough to call one version worse, or not worse, by a declared margin.

Two questions are asked of the same documents, each with a test that holds its level at whatever number of documents:

    is it worse at all?          at `alpha`
    is it worse by the margin?   at `pass_alpha`: a pass needs evidence too

FAIL: worse at all, and the estimate is the margin or more. PASS: not worse by the margin. MINOR: both, that is worse
for certain, and by less than the margin. INCONCLUSIVE: neither.

Losses (nats, bits) have no bound, so that both questions are asked by flipping signs (`sign_flip_test`): of each
document's change, and of its change less the margin's share of its loss. Scores lie between 0 and 1: the first question
is McNemar's exact test, or flips the signs of whole clusters; the second is a bet on the bounded mean (`bounded_bets`),
because differences of -1, 0 and 1 are not symmetric about a margin. The unit is the document, or the cluster of
documents that are not independent.

The level of a PASS of losses is exact where documents scatter evenly about the margin. Where most change little and a
few much (exponential noise), 8 to 13 % pass at a loss of exactly the margin instead of 5 %: simulated, 8 to 32
documents.

Few documents can't reach the level, however large the change is (seven for 0.01, ten for 0.001; five for a pass at
0.05). Then two declared rules speak of these documents alone, and say so: FAIL where every one of them is worse by ten
margins or more, PASS where none has moved by more than a tenth of the margin.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from harness.statistics import mcnemar
from harness.statistics.bounded_bets import mean_above
from harness.statistics.influence import by_cluster, ratio_influences, t_interval
from harness.statistics.intervals import Interval
from harness.statistics.paired_proportions import clustered_difference, paired_counts
from harness.statistics.sign_flip_test import above_zero, needed
from harness.statistics.speed_decision import Decision

Floats = NDArray[np.float64]

GROSS = 10.0
"""Margins that every one of too few documents must be worse by for a FAIL."""
NEGLIGIBLE = 0.1
"""Margins that none of too few documents may have moved by for a PASS."""
_POWER = 0.8
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Means:
    """Of one side: a mean over documents is the sum of `sums` over the sum of `weights`, both (documents,)."""

    sums: Floats
    weights: Floats

    @property
    def mean(self) -> float:
        """Over all documents."""
        return float(self.sums.sum() / self.weights.sum())


@dataclass(frozen=True)
class Judged:
    """What the documents come to."""

    decision: Decision
    change: Interval
    """Head less base, in the unit of the margin, with its 95 % interval."""
    worse_by: float
    """The same, positive where the head is worse."""
    p: float
    """One-sided, of "not worse"."""
    smallest_seen: float | None
    """The smallest loss that is told from none with a chance of 80 %, in the unit of the margin; None where so few
    documents can show nothing."""
    units: int
    """Documents, or clusters of them."""
    by_rule: bool = False
    """Whether so few documents were judged by one of the two rules for them."""


def judge_losses(
    base: Means,
    head: Means,
    clusters: Sequence[Hashable],
    *,
    margin: float,
    alpha: float = 0.01,
    pass_alpha: float = 0.05,
    better: int = -1,
) -> Judged:
    """Paired losses; the margin is a share of the base's mean (0.01: 1 % more nats).

    clusters: (documents,). better: -1 where lower is better, 1 where higher is. Of a base's mean of 0 there is no
    share: the margin is then one of the unit itself (0.01: a hundredth of a nat). ValueError where it is below 0.
    """
    if not base.mean >= 0:
        raise ValueError(f"a margin that is a share needs a base above 0, not {base.mean:g}")
    mean = base.mean or 1.0
    share = by_cluster((base.sums if base.mean else base.weights) / base.weights.sum() / mean, clusters)  # adds up to 1
    ours = by_cluster(base.sums / base.weights.sum() / mean, clusters)
    theirs = by_cluster(head.sums / head.weights.sum() / mean, clusters)
    worse = -better * (theirs - ours)
    worse_by, units = float(worse.sum()), len(worse)
    p = above_zero(worse)
    is_worse = p <= alpha
    excluded = above_zero(margin * share - worse) <= pass_alpha
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(share > 0, worse / share, np.where(worse == 0, 0.0, np.inf * np.sign(worse)))
    gross = units < needed(alpha) and bool((own >= GROSS * margin).all())
    negligible = units < needed(pass_alpha) and bool((np.abs(own) <= NEGLIGIBLE * margin).all())
    half = by_cluster(ratio_influences(head.sums, head.weights) - ratio_influences(base.sums, base.weights), clusters)
    return Judged(
        decision=_decided(is_worse or gross, worse_by, margin, excluded or negligible),
        change=t_interval(-better * worse_by, half / mean),
        worse_by=worse_by,
        p=p,
        smallest_seen=_smallest_seen(worse * units, alpha),
        units=units,
        by_rule=gross or (negligible and not excluded),
    )


def judge_scores(
    base: Means,
    head: Means,
    clusters: Sequence[Hashable],
    *,
    margin: float,
    alpha: float = 0.01,
    pass_alpha: float = 0.05,
    better: int = 1,
) -> Judged:
    """Paired scores between 0 and 1; the margin is one of the scale (0.02: 2 of 100 answers).

    sums: the score times the weight of each document, which is that of the base. ValueError for scores out of [0, 1],
    or a margin that is not between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin between 0 and 1 is wanted, not {margin}")
    before, after = base.sums / base.weights, head.sums / head.weights
    if any(((scores < 0) | (scores > 1)).any() for scores in (before, after)):
        raise ValueError("scores between 0 and 1 are wanted")
    weights = base.weights / base.weights.sum()
    lost = by_cluster(-better * (after - before) * weights, clusters)
    sizes = by_cluster(weights, clusters)
    worse_by, units = float(lost.sum()), len(lost)
    is_binary = bool(np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all() and (base.weights == 1).all())
    if is_binary and units == len(before):
        good = 1.0 if better > 0 else 0.0
        p = mcnemar.worse(paired_counts(before == good, after == good)).exact
    else:
        p = above_zero(lost)
    bets = np.clip((margin * sizes - lost) / sizes.max(), margin - 1, margin + 1)
    excluded = float(mean_above(bets, 0.0, margin - 1, margin + 1)[-1]) >= log(1 / pass_alpha)
    spread = lost - worse_by * sizes
    if is_binary:
        change = clustered_difference(before == 1, after == 1, clusters)
    else:
        change = t_interval(-better * worse_by, spread)
    return Judged(
        decision=_decided(p <= alpha, worse_by, margin, excluded),
        change=change,
        worse_by=worse_by,
        p=p,
        smallest_seen=_smallest_share_seen(spread * units, alpha),
        units=units,
    )


def _decided(is_worse: bool, worse_by: float, margin: float, excluded: bool) -> Decision:
    if is_worse and worse_by >= margin - _ROUNDING:
        return Decision.FAIL
    if excluded:
        return Decision.MINOR if is_worse else Decision.PASS
    return Decision.INCONCLUSIVE


def _smallest_seen(differences: Floats, alpha: float) -> float | None:
    """Of differences (units,) whose mean is the change: (z_alpha + z_power) standard errors."""
    from scipy.special import ndtri

    if len(differences) < max(needed(alpha), 2):
        return None
    error = float(differences.std(ddof=1)) / sqrt(len(differences))
    quantiles: float = float(ndtri(1 - alpha)) + float(ndtri(_POWER))
    return quantiles * error


def _smallest_share_seen(differences: Floats, alpha: float) -> float | None:
    """The same of scores, and no less than the share lost of which so many units are seen with this chance that they
    reach the level without any that is won."""
    from scipy.special import betaincinv

    by_spread = _smallest_seen(differences, alpha)
    if by_spread is None:
        return None
    units, lost = len(differences), needed(alpha)
    return max(by_spread, float(betaincinv(lost, units - lost + 1, _POWER)))
