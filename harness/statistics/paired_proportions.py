"""The same documents judged right or wrong twice: the difference of the two shares, its interval, and a test.

Only documents that were judged otherwise the second time say anything about a difference, so two accuracies with wide
intervals of their own may differ for certain: pair them whenever the documents are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.intervals import Interval
from harness.statistics.proportions import score_interval

Whole = NDArray[np.int64]


class PairedCounts(NamedTuple):
    """How often both, one, or neither of two judgments of one document was `right`. A share of documents may be no
    whole number: see `clustered_difference`."""

    both: float
    only_base: float
    only_head: float
    neither: float

    @property
    def total(self) -> float:
        """All pairs."""
        return self.both + self.only_base + self.only_head + self.neither


def paired_counts(base: ArrayLike, head: ArrayLike) -> PairedCounts:
    """The four counts of two arrays of truth values (documents,) in the same order. ValueError for other shapes."""
    a, b = np.asarray(base, dtype=bool), np.asarray(head, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"one judgment per document and side is wanted, not {a.shape} and {b.shape}")
    return PairedCounts(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))


def paired_difference(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Share of head minus share of base with Newcombe's interval, his method 10 (1998, Statistics in Medicine 17:2635).

    Wilson's intervals of the two shares, put together with the correlation that the pairs have. Unlike b - c ± z·error
    it stays in [-1, 1], has a width where nothing flipped, and covers about what it says also at small n. One pair has
    no interval; ValueError without any.
    """
    quantile = NormalDist().inv_cdf(0.5 + confidence / 2)
    return _newcombe(counts, quantile, int(counts.total)) if counts.total > 1 else _bare(counts)


def clustered_difference(
    base: ArrayLike, head: ArrayLike, clusters: Sequence[Hashable], confidence: float = 0.95
) -> Interval:
    """The same where the documents of a cluster (the questions on one passage) are not independent.

    base, head: (documents,) truth values; clusters: (documents,) the cluster of each. The difference's variance is that
    of the ratio estimator over clusters; what independent documents would have over it is the effective sample size,
    with which Newcombe's interval is made, and Student's t of clusters - 1 degrees of freedom. It is never taken larger
    than the number of documents. Where the differences show no variance each cluster counts as one document.
    """
    from scipy.special import stdtrit

    counts = paired_counts(base, head)
    sizes, nets = _by_cluster(base, head, clusters)
    n, groups = counts.total, len(sizes)
    if groups == n:
        return paired_difference(counts, confidence)
    if groups < 2:
        return _bare(counts)._replace(n=groups)
    mean = float(nets.sum()) / n
    independent = (counts.only_base + counts.only_head) / n - mean**2
    variance = groups / (groups - 1) * float(((nets - mean * sizes) ** 2).sum()) / n**2
    effective = float(groups)
    if independent > 0:
        effective = min(n, independent / variance) if variance > 0 else n
    scaled = PairedCounts(*(count * effective / n for count in counts))
    return _newcombe(scaled, float(stdtrit(groups - 1, 0.5 + confidence / 2)), groups)


def sign_flip_test(base: ArrayLike, head: ArrayLike, clusters: Sequence[Hashable] | None = None) -> float:
    """Exact two-sided p-value of: it is chance which of the two was right where they differ.

    Without clusters it is McNemar's exact test: of the documents that only one side has right, the base has a
    Binomial(n, 1/2) number (McNemar 1947, Psychometrika 12:153). With clusters whole clusters change sides, so that
    documents that flip together count once; their sums' distribution is exact too, by convolution.
    """
    _, nets = _by_cluster(base, head, clusters if clusters is not None else range(len(np.asarray(base))))
    spread = int(np.abs(nets).sum())
    chances = np.ones(1)  # of the sums -spread, -spread + 1 ... spread of what was taken in so far
    for size, times in Counter(np.abs(nets[nets != 0]).tolist()).items():
        step = np.zeros(2 * int(size) * times + 1)
        step[:: 2 * int(size)] = _fair_coins(times)
        chances = np.convolve(chances, step)
    sums = np.arange(-spread, spread + 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(int(nets.sum()))].sum()))


def _fair_coins(times: int) -> NDArray[np.float64]:
    """Chance of 0, 1 ... `times` heads."""
    from scipy.special import gammaln

    heads = np.arange(times + 1)
    chances: NDArray[np.float64] = np.exp(
        gammaln(times + 1) - gammaln(heads + 1) - gammaln(times - heads + 1) - times * np.log(2)
    )
    return chances


def _by_cluster(base: ArrayLike, head: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Whole, Whole]:
    """Of each cluster: its documents, and how many more the head has right than the base."""
    net = np.asarray(head, dtype=np.int64) - np.asarray(base, dtype=np.int64)
    if len(net) != len(clusters):
        raise ValueError(f"{len(clusters)} clusters of {len(net)} documents: each has one")
    places: dict[Hashable, int] = {}
    index = [places.setdefault(cluster, len(places)) for cluster in clusters]
    sizes, nets = np.zeros(len(places), dtype=np.int64), np.zeros(len(places), dtype=np.int64)
    np.add.at(sizes, index, 1)
    np.add.at(nets, index, net)
    return sizes, nets


def _bare(counts: PairedCounts) -> Interval:
    if counts.total <= 0:
        raise ValueError("no pairs, so there is no difference")
    return Interval((counts.only_head - counts.only_base) / counts.total, None, None, int(counts.total))


def _newcombe(counts: PairedCounts, quantile: float, units: int) -> Interval:
    both, only_base, only_head, _ = counts
    n = counts.total
    head, base = (both + only_head) / n, (both + only_base) / n
    head_low, head_high = score_interval(head, n, quantile)
    base_low, base_high = score_interval(base, n, quantile)
    correlation = _correlation(counts)
    difference = (only_head - only_base) / n
    below = _root(head - head_low, base_high - base, correlation)
    above = _root(head_high - head, base - base_low, correlation)
    return Interval(difference, max(-1.0, difference - below), min(1.0, difference + above), units)


def _root(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))


def _correlation(counts: PairedCounts) -> float:
    """Phi with Newcombe's correction, which takes up to n/2 from a positive ad - bc; 0 where a margin is empty."""
    both, only_base, only_head, neither = counts
    margins = (both + only_base) * (only_head + neither) * (both + only_head) * (only_base + neither)
    if margins <= 0:
        return 0.0
    cross = both * neither - only_base * only_head
    if cross > 0:
        cross = max(0.0, cross - counts.total / 2)
    return cross / sqrt(margins)
