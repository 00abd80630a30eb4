"""A share that rules found, with the rules' errors taken out and carried into the interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.item_rows import sums_by_group


def corrected(
    key: str, numbers: Sequence[float], groups: Sequence[str], errors: Sequence[int], confidence: float
) -> Estimate:
    """numbers: of each document whether the rules say so (0 or 1; between them the mean over its answers).

    errors: found, positive, passed, negative (`misclassified_share.Errors`). Where documents share a group, they count
    as the independent ones that they are worth.
    """
    import numpy as np

    from harness.statistics.misclassified_share import Errors, corrected_share
    from harness.statistics.proportions import effective_trials

    if not numbers:
        return Estimate(key, math.nan, None, None, "none: no document has a number", 0)
    rules = Errors(*errors)
    sums, sizes = sums_by_group(np.array([[x, 1.0] for x in numbers]), groups).T
    share = float(sums.sum() / sizes.sum())
    clustered = len(sums) < len(numbers)
    worth = float(len(numbers)) if not clustered else effective_trials(sums, sizes) if len(sums) > 1 else 1.0
    interval = corrected_share(share, worth, rules, confidence)
    units = f"{len(sums)} clusters" if clustered else "documents"
    told = (
        f"the rules say {share:.1%}, find {rules.found} of {rules.positive} and pass {rules.passed} of {rules.negative}"
    )
    how = f"Lang-Reiczigel over {units}: {told} labeled answers"
    return Estimate(key, interval.value, interval.low, interval.high, how, len(numbers))
