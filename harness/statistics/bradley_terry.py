"""A ranking of models from who won against whom: the Bradley-Terry model, with intervals over whole prompts.

The chance that i wins against j is sigmoid(strength_i - strength_j); ties are half a win of each (Bradley & Terry 1952;
fitted by maximum likelihood, here by Newton's method, with a weak Gaussian prior, so that a model which won or lost
every comparison has a strength at all). Strengths are relative: their mean is 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PRIOR = 0.1
"""Precision of the prior on each strength: one comparison outweighs it."""
REPLICATES = 500


@dataclass(frozen=True)
class Comparison:
    """One comparison of two models."""

    one: int
    other: int
    outcome: float
    """1: the one won, 0: the other, 0.5: a tie."""
    cluster: Hashable
    """The prompt: comparisons of one prompt are no independent evidence."""


@dataclass(frozen=True)
class Ranking:
    """Strengths in natural log odds, with 95 % of a bootstrap over clusters; low and high are None of one cluster."""

    strengths: Floats
    low: Floats | None
    high: Floats | None
    clusters: int


def bradley_terry(comparisons: Sequence[Comparison], models: int, seed: int = 0) -> Ranking:
    """The ranking of `models` models. ValueError where some of them were never compared, not even through others: then
    they have no common scale."""
    if not comparisons:
        raise ValueError("a ranking needs a comparison at least")
    joined = list(range(models))
    for one in comparisons:
        first, second = joined[one.one], joined[one.other]
        joined = [first if group == second else group for group in joined]
    if len(set(joined)) > 1:
        raise ValueError("some models were never compared with others, not even through third ones")
    names = {name: place for place, name in enumerate(dict.fromkeys(one.cluster for one in comparisons))}
    wins = np.zeros((len(names), models, models))  # wins[c, i, j]: of i against j in cluster c
    for one in comparisons:
        wins[names[one.cluster], one.one, one.other] += one.outcome
        wins[names[one.cluster], one.other, one.one] += 1 - one.outcome
    strengths = _fitted(wins.sum(0))
    if len(names) < 2:
        return Ranking(strengths, None, None, len(names))
    weights = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)
    drawn = np.array([_fitted(np.tensordot(weight, wins, 1), strengths) for weight in weights])
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return Ranking(strengths, low, high, len(names))


def _fitted(wins: Floats, start: Floats | None = None) -> Floats:
    """Strengths of most posterior probability, mean 0. wins: (models, models), those of the row against the column."""
    games = wins + wins.T
    strengths = np.zeros(len(wins)) if start is None else start.copy()
    for _ in range(100):
        chance = 1 / (1 + np.exp(-(strengths[:, None] - strengths[None, :])))
        gradient = (wins - games * chance).sum(1) - PRIOR * strengths
        weight = games * chance * (1 - chance)
        curvature = np.diag(weight.sum(1) + PRIOR) - weight
        step = np.linalg.solve(curvature, gradient)
        strengths += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(strengths - strengths.mean(), dtype=np.float64)
