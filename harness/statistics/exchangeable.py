"""How unusual a difference is among differences that were measured when nothing differed: by its rank alone.

Let D_1 … D_n be what pairs of identical things differed by, and D what a new pair differs by. Where the new pair is
identical too, the n + 1 sizes |D_1| … |D_n|, |D| are exchangeable: any of them is as likely to be the largest as any
other, whatever their distribution. So the number of known sizes that are as large as |D|, plus one, over n + 1 is a
p-value (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, section 2.5): the chance that it is
q or less is at most q. A difference beyond the largest of n known ones has a chance of at most 1 / (n + 1).

Nothing here is a model of the noise, but the known pairs have to be like the new one: the same workload, the same
machine, as far apart in time, and none of them made of the same measurements as another.
"""

from __future__ import annotations

from math import floor

import numpy as np
from numpy.typing import ArrayLike


def chance_of(size: float, known: ArrayLike) -> float:
    """The p-value of a difference of this size: (1 + number of known sizes that are as large) / (n + 1).

    known: (n,) differences of identical pairs, of either sign. Without any it is 1. ValueError for what is no number.
    """
    sizes = _sizes(known)
    if np.isnan(size):
        raise ValueError("a difference that is no number has no rank")
    return float((1 + np.count_nonzero(sizes >= size)) / (len(sizes) + 1))


def smallest_unlikely(known: ArrayLike, alpha: float) -> float | None:
    """The size beyond which a difference has a p-value of `alpha` or less; None where no size has: there are fewer than
    1/alpha - 1 known ones."""
    sizes = np.sort(_sizes(known))[::-1]
    most = floor(alpha * (len(sizes) + 1) + 1e-9)
    return None if most < 1 or len(sizes) == 0 else float(sizes[most - 1])


def needed(alpha: float) -> int:
    """How many known pairs there have to be, so that any difference can have a p-value of `alpha`."""
    return int(np.ceil(1 / alpha - 1e-9)) - 1


def _sizes(known: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    sizes = np.abs(np.asarray(known, dtype=np.float64).reshape(-1))
    if np.any(np.isnan(sizes)):
        raise ValueError("a difference that is no number has no rank")
    return sizes
