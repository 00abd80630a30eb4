"""One metric over the sizes: whether it stands still where exact match does, moves there, or jumps.

    flat start   how many of the smallest models are told from the smallest one by nothing (same documents, Bonferroni);
                 exact match stands still there if it has surely gained less than a line in log size would have
    progress     of all that a metric gains from the smallest to the largest model, the share that it has gained where
                 exact match still stands. A line in log size has some share there by geometry; a metric with at least
                 a quarter of that moves, one with less stands still as well
    break        line against hinge in log size, on the metric's own scale

A smooth metric jumps if its own start is flat (two models or more) and a hinge tells it better than a line (p < 0.05
over the number of smooth metrics).
It moves if its progress lies above that quarter with all of its interval. Else it does not decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.mirage.answers_table import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.statistics.paired_means import PairedMeans

    Floats = NDArray[np.float64]

State = Literal["jumps", "moves", "does not decide", "does not rise", "rises at once"]

LEAST_SIZES = 4
QUARTER = 0.25
REPLICATES = 400


@dataclass(frozen=True)
class SmoothMetric:
    """A metric that may move where exact match stands."""

    unit: str
    better: int
    """1 where higher values are better, -1 where lower ones are."""
    scale: Literal["logit", "log"]
    """On which a line is smooth."""


SMOOTH = {
    "token_accuracy": SmoothMetric("share", 1, "logit"),
    "gold_loss": SmoothMetric("bits/byte", -1, "log"),
    "edit_similarity": SmoothMetric("share", 1, "logit"),
    "brier_score": SmoothMetric("squared probability", -1, "log"),
    "likelihood": SmoothMetric("probability", 1, "logit"),
}


@dataclass(frozen=True)
class Curve:
    """One metric over the sizes."""

    metric: str
    unit: str
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    interval: str
    flat: int
    """How many of the smallest models can't be told from the smallest."""
    state: State
    progress: float | None
    """Share of its whole gain that it has where exact match still stands; None where there is no such place."""
    progress_low: float | None
    progress_high: float | None
    break_p: float | None
    """Of the line (of exact match: the smooth curve) against the hinge; None where it can't be tested."""
    breakthroughness: float
    """Range over the root of the median squared step (Srivastava et al. 2022): says nothing of n."""


@dataclass(frozen=True)
class Standstill:
    """Where right answers don't grow yet."""

    rises: bool
    """Whether they are told better at the largest size than at the smallest."""
    flat: int
    """How many sizes are alike."""
    straight: float | None
    """Progress that a line in log size has at the last of them; None where there is nothing to ask: they don't rise, or
    rise at once, or there are too few sizes."""


def standstill(right: PairedMeans, sizes: tuple[float, ...]) -> Standstill:
    """Of the answers' being right."""
    from harness.statistics.paired_means import flat_start, told_better

    rises, flat = told_better(right, len(sizes) - 1), flat_start(right)
    straight = None
    if rises and flat >= 2 and len(sizes) >= LEAST_SIZES:
        straight = math.log(sizes[flat - 1] / sizes[0]) / math.log(sizes[-1] / sizes[0])
    return Standstill(rises, flat, straight)


def curve_of_right(right: PairedMeans, answers: Answers, name: str, chance: float, still: Standstill) -> Curve:
    """The curve of the metric that says right or wrong."""
    from harness.statistics.paired_means import progress

    break_p = _smooth_against_hinge(right, answers.sizes, chance) if still.rises else None
    moved = progress(right, still.flat - 1) if still.straight is not None else None
    state = _without_progress(still.rises, still.flat)
    if moved is not None and still.straight is not None and moved[2] < still.straight:
        state = "jumps"
    return _curve(name, "share", right, still.flat, state, moved, break_p)


def smooth_curves(answers: Answers, still: Standstill) -> list[Curve]:
    """The curves of the smooth metrics that are there."""
    having = list(_smooth_means(answers))
    return [_smooth_curve(name, means, answers.sizes, still, 0.05 / len(having)) for name, means in having]


def _smooth_means(answers: Answers) -> Iterator[tuple[str, PairedMeans]]:
    from harness.statistics.paired_means import paired_means

    for name, metric in SMOOTH.items():
        if name == "gold_loss" and "gold_log_prob" in answers.columns:
            bits = -answers.columns["gold_log_prob"] / math.log(2)
            size = answers.columns["gold_bytes"][:, 0] if "gold_bytes" in answers.columns else None
            yield name, paired_means(bits, size, answers.clusters, metric.better)
        elif name in answers.columns:
            yield name, paired_means(answers.columns[name], None, answers.clusters, metric.better)


def _smooth_curve(name: str, means: PairedMeans, sizes: tuple[float, ...], still: Standstill, alpha: float) -> Curve:
    from harness.statistics.paired_means import flat_start, progress, told_better

    flat, rises = flat_start(means), told_better(means, len(sizes) - 1)
    break_p = _line_against_hinge(means, sizes, SMOOTH[name].scale) if rises else None
    moved, state = None, _without_progress(rises, flat)
    if still.straight is not None and rises:
        moved = progress(means, still.flat - 1)
        if flat >= 2 and break_p is not None and break_p < alpha:
            state = "jumps"
        else:
            state = "moves" if moved[1] > QUARTER * still.straight else "does not decide"
    return _curve(name, SMOOTH[name].unit, means, flat, state, moved, break_p)


def _without_progress(rises: bool, flat: int) -> State:
    return "does not rise" if not rises else "rises at once" if flat < 2 else "does not decide"


def _curve(
    name: str,
    unit: str,
    means: PairedMeans,
    flat: int,
    state: State,
    moved: tuple[float, float, float] | None,
    break_p: float | None,
) -> Curve:
    from harness.statistics.breakthroughness import breakthroughness
    from harness.statistics.paired_means import intervals

    ends, how = intervals(means)
    share, low, high = moved or (None, None, None)
    return Curve(
        metric=name,
        unit=unit,
        values=tuple(map(float, means.values)),
        lows=tuple(value if end.low is None else end.low for value, end in zip(means.values, ends, strict=True)),
        highs=tuple(value if end.high is None else end.high for value, end in zip(means.values, ends, strict=True)),
        interval=how,
        flat=flat,
        state=state,
        progress=share,
        progress_low=low,
        progress_high=high,
        break_p=break_p,
        breakthroughness=float(breakthroughness(means.better * means.values)),
    )


def _smooth_against_hinge(right: PairedMeans, sizes: tuple[float, ...], chance: float) -> float | None:
    """Of counts of right answers; None where answers are no counts or the sizes too few."""
    import numpy as np

    from harness.statistics.binomial_curve import positions
    from harness.statistics.curve_test import break_test

    if right.judged is None or len(sizes) < LEAST_SIZES:
        return None
    n = np.full(len(sizes), float(len(right.judged)))
    counts = right.judged.sum(axis=0)[None]
    return float(break_test(positions(sizes), counts, n, chance, replicates=REPLICATES).p_value[0])


def _line_against_hinge(means: PairedMeans, sizes: tuple[float, ...], scale: str) -> float | None:
    """On the metric's own scale; None where a value has no place on it or the sizes are too few."""
    import numpy as np

    from harness.statistics.smooth_or_hinge import hinge_test

    values = means.values
    if len(sizes) < LEAST_SIZES or np.any(values <= 0) or (scale == "logit" and np.any(values >= 1)):
        return None
    if scale == "logit":
        z, slope = np.log(values / (1 - values)), 1 / (values * (1 - values))
    else:
        z, slope = -np.log(values), 1 / values
    return hinge_test(np.log(sizes), z, means.covariance * np.outer(slope, slope)).p_value
