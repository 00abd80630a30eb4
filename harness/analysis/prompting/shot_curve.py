"""A score over the number of few-shot examples, its slope, and the slope of slopes over model size, with intervals.

The slope is least squares of the score on log2(shots + 1): what twice as many things to read (the question counts as
one) change. It is linear in the scores, so with the same documents at every number of shots its interval is exact
pairing: what a document adds to the slope is summed up by document first. With the same documents for every model the
same holds of the slope over size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from harness.evidence.per_document import PerDocument
from harness.evidence.selection import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SIZES = 3
UNPAIRED = "none: the documents differ between numbers of shots"


class Told(NamedTuple):
    """A slope with its interval and how that was made; n documents."""

    value: float
    low: float | None
    high: float | None
    how: str
    n: int | None


@dataclass(frozen=True)
class ShotCurve:
    """One model on one task: its points by ascending shots."""

    points: tuple[Point, ...]
    size: int
    evidence: tuple[PerDocument, ...] | None
    """Of each number of shots, the documents that all of them have."""

    @property
    def shots(self) -> list[int]:
        """Of each point."""
        return [shots_of(point) for point in self.points]

    @property
    def values(self) -> list[float]:
        """Of each point, the score."""
        return [point.record.value or 0.0 for point in self.points]

    @property
    def weights(self) -> Floats:
        """The slope's weight of each score."""
        from harness.statistics.line_slope import slope_weights

        return slope_weights(doublings(self.shots))

    @property
    def slope(self) -> float:
        """Per doubling of shots + 1."""
        return float(self.weights @ self.values)

    @cached_property
    def influences(self) -> Floats:
        """What each document adds to each score: (documents, shots). Of a curve that has evidence."""
        import numpy as np

        from harness.statistics.influence import ratio_influences

        assert self.evidence is not None
        sums, weights = (np.stack([getattr(item, name) for item in self.evidence], 1) for name in ("sums", "weights"))
        return ratio_influences(sums, weights)


def shots_of(point: Point) -> int:
    """How many examples stood before the question."""
    return int(point.coordinates["shots"] or 0)


def doublings(shots: Iterable[float]) -> Floats:
    """log2(shots + 1)."""
    import numpy as np

    return np.log2(np.asarray(list(shots), dtype=np.float64) + 1)


def slope_of(curve: ShotCurve) -> Told:
    """The curve's slope, paired by document."""
    from harness.statistics.influence import by_cluster, t_interval

    if curve.evidence is None:
        return Told(curve.slope, None, None, UNPAIRED, None)
    documents = curve.evidence[0]
    rows = by_cluster(curve.influences @ curve.weights, documents.clusters)
    value, low, high, units = t_interval(curve.slope, rows)
    n = len(documents.documents)
    return Told(value, low, high, f"t over {'documents' if units == n else f'{units} clusters'}, paired", n)


def bends(curve: ShotCurve) -> bool:
    """Whether the scores leave a line by more than the choice of documents explains (5 %)."""
    import numpy as np

    from harness.statistics.influence import by_cluster
    from harness.statistics.line_slope import line_misfit

    if curve.evidence is None:
        return False
    rows = by_cluster(curve.influences, curve.evidence[0].clusters)
    p_value = line_misfit(doublings(curve.shots), np.array(curve.values), rows)
    return p_value is not None and p_value < 0.05


def slope_over_log_size(ladder: Sequence[ShotCurve]) -> Told:
    """The slopes' change per tenfold size: by document where all models have the same, else as independent."""
    import numpy as np

    from harness.statistics.influence import by_cluster, t_interval
    from harness.statistics.line_slope import slope_weights

    weights = slope_weights(np.log10([curve.size for curve in ladder]))
    value = float(weights @ [curve.slope for curve in ladder])
    known = [curve.evidence[0] for curve in ladder if curve.evidence is not None]
    if len(known) < len(ladder):
        return Told(value, None, None, UNPAIRED, None)
    n = len(known[0].documents)
    influences = [curve.influences @ curve.weights * weight for curve, weight in zip(ladder, weights, strict=True)]
    if all(documents.same_text(known[0]) for documents in known):
        _, low, high, units = t_interval(value, by_cluster(np.sum(influences, axis=0), known[0].clusters))
        return Told(value, low, high, f"t over {units} documents or clusters, the same for every size", n)
    square = 0.0
    for each, documents in zip(influences, known, strict=True):
        _, low, high, _ = t_interval(0.0, by_cluster(each, documents.clusters))
        if low is None or high is None:
            return Told(value, None, None, "none: one document has no spread", n)
        square += high**2
    half = math.sqrt(square)
    return Told(value, value - half, value + half, "of the slopes' own intervals, taken as independent", n)
