"""What a model's judgments of pairs come to: accuracy, margin, calibration, and what the shorter response would say.

Pairs whose dialogs open alike are no independent evidence: the opening is the unit of every interval.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.measures.measure import Sample
from harness.results.record import Direction, Measurement, Metric
from harness.statistics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

POWER_FACTOR = 1.959964 + 0.841621
"""Quantiles of the normal distribution: a test of 5 % (two-sided) that sees an effect with a chance of 80 %."""

HOW = "Wilson, effective n over openings, t; with ties t over openings"
"""How the interval of a share is made."""


@dataclass(frozen=True)
class PairMetrics:
    """The metrics of one measure of pairs."""

    accuracy: Metric
    margin: Metric
    calibration: Metric
    shorter: Metric
    smallest_effect: Metric
    left_out: Metric

    @property
    def all(self) -> tuple[Metric, ...]:
        """In the order in which they are shown."""
        return self.accuracy, self.margin, self.calibration, self.shorter, self.smallest_effect, self.left_out


def pair_metrics(name: str, value: str, unit: str) -> PairMetrics:
    """The metrics of a measure whose judgment of a response is called `value`, of this unit."""
    return PairMetrics(
        accuracy=Metric(
            name=f"{name}_accuracy",
            unit="fraction",
            direction=Direction.HIGHER,
            definition=f"Share of pairs whose chosen response has the higher {value}; equal ones count half, pairs "
            "that people called a tie are left out. A judge that knows nothing gets 0.5.",
            headline=True,
        ),
        margin=Metric(
            name=f"{name}_margin",
            unit=unit,
            direction=Direction.HIGHER,
            definition=f"Mean over pairs of the {value} of the chosen response less that of the rejected one.",
        ),
        calibration=Metric(
            name=f"{name}_calibration_error",
            unit="fraction",
            direction=Direction.LOWER,
            definition="Expected calibration error of sigmoid(margin) as the probability that the chosen response is "
            "the better one (Bradley-Terry): 10 bins by the confidence in the preferred one (Guo et al. 2017).",
        ),
        shorter=Metric(
            name=f"{name}_shorter_accuracy",
            unit="fraction",
            direction=Direction.NONE,
            definition="What a judge gets on the same pairs that knows nothing but lengths: the share whose chosen "
            "response has fewer characters, equal ones half.",
        ),
        smallest_effect=Metric(
            name=f"{name}_smallest_effect",
            unit="fraction",
            direction=Direction.NONE,
            definition="Smallest distance of the accuracy from 0.5 that so many openings show with a chance of 80 % "
            "at a level of 5 %: (1.96 + 0.84) · sqrt(0.25 / openings).",
            detail=True,
        ),
        left_out=Metric(
            name=f"{name}_left_out",
            unit="pairs",
            direction=Direction.LOWER,
            definition="Pairs that could not be judged: an empty response, two equal ones, no room in the context.",
            counted=True,
            detail=True,
        ),
    )


def pair_row(
    number: int, opening: str, chosen: str, rejected: str, label: float, judged: tuple[float, float], scale: float
) -> Sample:
    """A pair as evidence. judged: of the chosen response and of the rejected one. scale: what their difference is
    multiplied by for the probability that the chosen one is better."""
    return {
        "pair": number,
        "opening": hashlib.sha256(opening.encode()).hexdigest()[:16],
        "chosen": chosen,
        "rejected": rejected,
        "label": label,
        "of_chosen": judged[0],
        "of_rejected": judged[1],
        "scale": scale,
    }


def summed_up(samples: pd.DataFrame, metrics: PairMetrics, asked: int) -> list[Measurement]:
    """Measurements from rows of `pair_row`. asked: how many pairs there were, those that are left out included."""
    from harness.measures.clustered_share import share, sums_and_counts
    from harness.statistics.calibration_error import calibration_error
    from harness.statistics.intervals import ratio_of_sums

    judged = samples[np.isfinite(samples["of_chosen"]) & np.isfinite(samples["of_rejected"])]
    decided = judged[judged["label"] != 0.5]
    if decided.empty:
        raise UserError("no pair is left that can be judged: all are ties, or no number came of them; give others")
    openings = list(decided["opening"])
    margins = (decided["of_chosen"] - decided["of_rejected"]).to_numpy(dtype=float)
    upright = np.where(decided["label"] > 0.5, 1.0, -1.0)
    right = np.where(margins * upright > 0, 1.0, np.where(margins == 0, 0.5, 0.0))
    lengths = np.array([len(c) - len(r) for c, r in zip(decided["chosen"], decided["rejected"], strict=True)])
    shorter = np.where(lengths * upright < 0, 1.0, np.where(lengths == 0, 0.5, 0.0))
    sure = 1 / (1 + np.exp(-np.abs(margins * decided["scale"].to_numpy(dtype=float)).clip(max=700)))
    counted = len(dict.fromkeys(openings))
    margin = ratio_of_sums(*sums_and_counts(openings, margins * upright))
    error = calibration_error(sure, right, openings, low=0.5)
    how = "t over openings (ratio estimator)"
    return [
        _measurement(metrics.accuracy, share(openings, right), HOW),
        _measurement(metrics.margin, margin, how),
        _measurement(metrics.calibration, error, "bootstrap over openings (percentile)"),
        _measurement(metrics.shorter, share(openings, shorter), HOW),
        Measurement(
            metric=metrics.smallest_effect,
            value=POWER_FACTOR * math.sqrt(0.25 / counted),
            n=counted,
            n_unit="openings",
        ),
        Measurement(metric=metrics.left_out, value=float(asked - len(judged)), n=asked, n_unit="pairs"),
    ]


def _measurement(metric: Metric, found: Interval, how: str) -> Measurement:
    given = how if found.low is not None else "none: one opening, or nothing but ties"
    return Measurement(
        metric=metric, value=found.value, low=found.low, high=found.high, interval=given, n=found.n, n_unit="openings"
    )
