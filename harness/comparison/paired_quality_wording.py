"""What was found of the quality of two runs, in a sentence: see `paired_quality.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.comparison.paired_quality_documents import counted
from harness.statistics.quality_decision import Judged
from harness.statistics.speed_decision import Decision


def sentence(
    metric: str, judged: Judged, absolute: bool, margin: float, alpha: float, documents: int, details: Mapping[str, Any]
) -> str:
    """What was found of a metric, with the numbers, and why it is this decision.

    absolute: whether changes are in points of the scale, not in percent of the base's mean. details: `lost` and `won`
    of scores that say right or wrong."""
    change = judged.change
    ends = "" if change.low is None or change.high is None else f" [{_size(change.low)}, {_size(change.high)}]"
    of = f"{counted(documents)}" + (f" in {judged.units} clusters" if judged.units != documents else "")
    flipped = f", {details['lost']} lost and {details['won']} won" if "lost" in details else ""
    how = "points" if absolute else "%"
    told = f"{metric}: {_size(change.value)}{ends} {how} over {of}{flipped} (p = {judged.p:.2g} of not worse)"
    return f"{told}: {_why(judged, margin, alpha, how)}"


def _why(judged: Judged, margin: float, alpha: float, how: str) -> str:
    limit = f"{100 * margin:g} {how}"
    few = f"; {judged.units} are too few for the test, so each of them was looked at" if judged.by_rule else ""
    if judged.decision is Decision.FAIL:
        return f"worse by the margin of {limit} or more{few}"
    if judged.decision is Decision.PASS:
        return f"not worse by the margin of {limit}{few}"
    if judged.decision is Decision.MINOR:
        return f"worse for certain, by less than the margin of {limit}"
    if judged.smallest_seen is None:
        from harness.statistics.sign_flip_test import needed

        return f"neither is shown: the test needs {needed(alpha)} documents or clusters, and there are {judged.units}"
    if judged.p <= alpha:
        return f"worse for certain, but it isn't shown whether by the margin of {limit}"
    seen = f"a loss of {100 * judged.smallest_seen:.2g} {how} would have been seen"
    return f"neither is shown at the margin of {limit}; {seen}"


def _size(value: float) -> str:
    return f"{100 * value:+.3g}"
