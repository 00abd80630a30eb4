"""How often one of two answers wins, and how often it would if both were equally long.

The chance of a win is modeled as sigmoid(theta + phi · tanh(length difference / its standard deviation)); at no
difference it is sigmoid(theta). That is AlpacaEval's length control (Dubois et al. 2024, arXiv:2404.04475, equation 2)
without its term for the difficulty of an instruction, which is estimated from many models.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from harness.statistics.influence import by_cluster
from harness.statistics.intervals import Interval

RIDGE = 1e-3
"""Of the penalty on phi, per comparison: where lengths alone tell who wins, phi would grow without end."""
LARGEST = 15.0
"""Of theta: beyond, all comparisons come out alike and there is no interval."""


def length_controlled(
    outcomes: ArrayLike, lengths: ArrayLike, clusters: Sequence[Hashable], confidence: float = 0.95
) -> Interval:
    """The share of wins at equal lengths.

    outcomes: (comparisons,) 1 a win, 0.5 a tie, 0 a loss. lengths: (comparisons,) length of the one less that of the
    other, in any unit. clusters: of each comparison, its prompt.

    The interval is Student's t over clusters for theta (the sandwich estimator), put through the sigmoid. None where
    every comparison came out alike or there is one cluster. ValueError without a comparison.
    """
    from scipy.special import expit, stdtrit

    y, difference = np.asarray(outcomes, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if not len(y) or y.shape != difference.shape or len(clusters) != len(y):
        raise ValueError("a comparison at least is wanted, and of each its outcome, its lengths and its cluster")
    units = len(dict.fromkeys(clusters))
    if np.all(y == y[0]) and y[0] in (0.0, 1.0):
        return Interval(float(y[0]), None, None, units)
    spread = float(difference.std())
    x = np.stack([np.ones(len(y)), np.tanh(difference / spread) if spread > 0 else np.zeros(len(y))], axis=1)
    penalty = np.diag([0.0, RIDGE * len(y)])
    theta = np.zeros(2)
    for _ in range(100):
        p = expit(x @ theta)
        gradient = x.T @ (y - p) - penalty @ theta
        curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10 or abs(theta[0]) > LARGEST:
            break
    value = float(expit(theta[0]))
    if units < 2 or abs(theta[0]) > LARGEST:
        return Interval(value, None, None, units)
    p = expit(x @ theta)
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-12 * np.eye(2))
    scores = by_cluster(x * (y - p)[:, None], clusters)
    error = float(np.sqrt(units / (units - 1) * (bread @ scores.T @ scores @ bread)[0, 0]))
    half = float(stdtrit(units - 1, 0.5 + confidence / 2)) * error
    return Interval(value, float(expit(theta[0] - half)), float(expit(theta[0] + half)), units)
