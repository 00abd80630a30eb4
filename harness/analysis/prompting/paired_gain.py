"""The same task asked in two ways: how many more answers are right in the second, paired by document where that can be.

The gain has an interval of its own, and over a ladder of models draws of other documents: what an interval of anything
that is made of several gains needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.evidence.per_document import PerDocument, shared, together
from harness.evidence.selection import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

REPLICATES = 4000


@dataclass(frozen=True)
class AskedTwice:
    """One model on one task in two ways."""

    base: Point
    head: Point
    evidence: tuple[PerDocument, ...] | None
    """Of the base and the head, on the documents that both have; None where there are none."""

    @property
    def scores(self) -> tuple[Floats, Floats]:
        """Of each document in both ways; where there is evidence."""
        assert self.evidence is not None
        base, head = (item.sums / item.weights for item in self.evidence)
        return base, head


@dataclass(frozen=True)
class PairedGain:
    """Score of the head less that of the base."""

    value: float
    low: float | None
    high: float | None
    interval: str
    n: int | None
    """Documents."""


def asked_twice(base: Point, head: Point) -> AskedTwice:
    """The two with what they share."""
    return AskedTwice(base, head, shared([base, head]))


def paired_gain(pair: AskedTwice) -> PairedGain:
    """By document: Newcombe's paired interval of answers that are right or wrong, else Student's t.

    Without documents that both have, of the two shares alone, as if other documents had been asked.
    """
    import numpy as np

    from harness.statistics.influence import by_cluster
    from harness.statistics.intervals import ratio_of_sums
    from harness.statistics.paired_proportions import clustered_difference

    if pair.evidence is None:
        return _unpaired(pair)
    (base, head), clusters = pair.scores, pair.evidence[0].clusters
    if np.isin([base, head], (0.0, 1.0)).all():
        found = clustered_difference(base, head, clusters)
        how = "Newcombe, paired by document"
    else:
        change = by_cluster(np.stack([head - base, np.ones(len(base))], axis=1), clusters)
        found = ratio_of_sums(change[:, 0], change[:, 1])
        how = "t, paired by document"
    return PairedGain(found.value, found.low, found.high, how, len(base))


def _unpaired(pair: AskedTwice) -> PairedGain:
    from harness.statistics.proportions import independent_difference

    base, head = pair.base.record, pair.head.record
    if not base.n or not head.n:
        value = (head.value or 0.0) - (base.value or 0.0)
        return PairedGain(value, None, None, "none: the number of documents is not known", None)
    found = independent_difference(base.value or 0.0, base.n, head.value or 0.0, head.n)
    how = "Newcombe, unpaired: the two ways did not answer the same documents"
    return PairedGain(found.value, found.low, found.high, how, found.n)


def drawn_gains(ladder: Sequence[AskedTwice]) -> Floats:
    """(REPLICATES, models): gains under other documents, the same ones for every model where all answered them."""
    import numpy as np

    from harness.statistics.bootstrap import resampled_means
    from harness.statistics.influence import by_cluster

    known = [pair.evidence for pair in ladder if pair.evidence is not None]
    if len(known) == len(ladder):
        all_have = together([item for pair in known for item in pair])
        if len(all_have[0].documents) == len(known[0][0].documents):
            scores = np.stack([item.sums / item.weights for item in all_have], axis=1)
            change = by_cluster(scores[:, 1::2] - scores[:, ::2], all_have[0].clusters)
            documents = by_cluster(np.ones((len(scores), len(ladder))), all_have[0].clusters)
            return resampled_means(change, documents, REPLICATES, seed=0)
    generator = np.random.default_rng(0)
    columns = []
    for pair in ladder:
        base, head = (
            generator.binomial(point.record.n or 1, point.record.value or 0.0, REPLICATES) / (point.record.n or 1)
            for point in (pair.base, pair.head)
        )
        columns.append(head - base)
    return np.stack(columns, axis=1)
