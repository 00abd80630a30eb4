"""McNemar's test of the same documents judged twice: is the head worse where the two differ?

Under the null it is chance which of the two is right where one of them is: of n such documents the head has a
Binomial(n, 1/2) number. Exact p-values hold their level at every n and are conservative; the mid-p counts half of what
is as likely as what was seen, is near its nominal level, and may exceed it a little (Fagerland, Lydersen & Laake 2013,
BMC Medical Research Methodology 13:91, recommend it). Two-sided with clusters: `paired_proportions.sign_flip_test`.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.statistics.paired_proportions import PairedCounts


class McNemar(NamedTuple):
    """One-sided p-values of "the head is no worse": small ones say that it is worse."""

    exact: float
    mid: float


def worse(counts: PairedCounts) -> McNemar:
    """Whether the head is right less often than the base. Both are 1 where no document differs. ValueError for counts
    that are no whole numbers (of clusters, whose documents are not independent)."""
    from scipy.special import bdtr

    lost, won = int(counts.only_base), int(counts.only_head)
    if (lost, won) != (counts.only_base, counts.only_head) or min(lost, won) < 0:
        raise ValueError("whole numbers of documents are wanted; with clusters use the sign-flip test")
    differ = lost + won
    if not differ:
        return McNemar(1.0, 1.0)
    at_most = float(bdtr(won, differ, 0.5))  # the head has won so many of them or fewer
    fewer = float(bdtr(won - 1, differ, 0.5)) if won else 0.0
    return McNemar(at_most, (at_most + fewer) / 2)
