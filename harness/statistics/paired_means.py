"""Means over the same documents at several scales: which scales are told apart, and how far a gain has come.

Errors of the scales are not independent (a hard document is hard for every model), so differences are taken by
document; documents of one cluster count together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.influence import by_cluster, covariance, ratio_influences, t_interval
from harness.statistics.intervals import Interval

Floats = NDArray[np.float64]

_DRAWS = 4000


@dataclass(frozen=True)
class PairedMeans:
    """A mean at each of m scales."""

    values: Floats
    """(m,)"""
    rows: Floats
    """(clusters, m) influences."""
    judged: Floats | None
    """(documents, m) where every document is right (1) or wrong (0); None of other values."""
    clusters: tuple[str, ...]
    """(documents,)"""
    better: int
    """1 where higher values are better, -1 where lower ones are."""

    @property
    def covariance(self) -> Floats:
        """Of the values: (m, m)."""
        return covariance(self.rows)

    @property
    def units(self) -> str:
        """What is independent."""
        return "documents" if len(self.rows) == len(self.clusters) else "clusters"


def paired_means(sums: Floats, weights: Floats | None, clusters: Sequence[str], better: int = 1) -> PairedMeans:
    """Sum over sum of weights at each scale. sums: (documents, m); weights: (documents,), None where all are alike."""
    judged = sums if weights is None and np.isin(sums, (0.0, 1.0)).all() else None
    along = np.ones((len(sums), 1)) if weights is None else weights[:, None]
    rows = by_cluster(ratio_influences(sums, along), clusters)
    return PairedMeans(sums.sum(axis=0) / along.sum(), rows, judged, tuple(clusters), better)


def intervals(means: PairedMeans) -> tuple[list[Interval], str]:
    """95 % intervals of each scale's value, and how they were made: Wilson's of right and wrong, else Student's t."""
    from harness.statistics.proportions import clustered_proportion

    if means.judged is None:
        return [
            t_interval(float(v), row) for v, row in zip(means.values, means.rows.T, strict=True)
        ], f"t over {means.units}"
    trials = by_cluster(np.ones(len(means.judged)), means.clusters)
    right = by_cluster(means.judged, means.clusters)
    how = "Wilson over documents" if means.units == "documents" else "Wilson, effective n over clusters, t"
    return [clustered_proportion(column, trials) for column in right.T], how


def told_better(means: PairedMeans, at: int) -> bool:
    """Whether a scale is better than the first beyond chance: 5 % over all scales that could be (Bonferroni).

    By Newcombe's paired interval of right and wrong, else Student's t on the documents' differences.
    """
    from harness.statistics.paired_proportions import clustered_difference

    if at == 0:
        return False
    confidence = 1 - 0.05 / (len(means.values) - 1)
    if means.judged is not None:
        gain = clustered_difference(means.judged[:, 0], means.judged[:, at], means.clusters, confidence)
    else:
        change = means.rows[:, at] - means.rows[:, 0]
        gain = t_interval(float(means.values[at] - means.values[0]), change, confidence)
    end = gain.low if means.better > 0 else gain.high
    return end is not None and means.better * end > 0


def flat_start(means: PairedMeans) -> int:
    """How many scales come before the first one that is told better than the first."""
    m = len(means.values)
    return next((at for at in range(1, m) if told_better(means, at)), m)


def progress(means: PairedMeans, at: int) -> tuple[float, float, float]:
    """The share of the whole gain that a scale has, with its 95 % interval: percentiles over draws of a normal with
    the documents' covariance."""
    drawn = means.values + np.random.default_rng(0).standard_normal((_DRAWS, len(means.values))) @ _root(means).T
    curves = np.concatenate([means.values[None], drawn])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (curves[:, at] - curves[:, 0]) / (curves[:, -1] - curves[:, 0])
    low, high = np.nanquantile(shares[1:], [0.025, 0.975])
    return float(shares[0]), float(low), float(high)


def _root(means: PairedMeans) -> Floats:
    """L with L L' = the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(means.covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)
