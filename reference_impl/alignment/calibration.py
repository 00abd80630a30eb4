"""Whether a reward model's probabilities are right: reliability curve, expected calibration error and its interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Pairs that the model was about as sure of."""

    pairs: int
    confidence: float
    """Mean probability of the response that it prefers, 0.5 to 1."""
    accuracy: float
    """How often that response is the chosen one; a tie of rewards is half."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence is from accuracy, and how sure that is."""

    error: float
    """Expected calibration error: mean over pairs of |accuracy - confidence| of their bins (Guo et al. 2017)."""
    low: float
    """Of a percentile bootstrap over clusters, 95 %."""
    high: float
    curve: tuple[Bin, ...]
    """Bins that have pairs, by confidence."""


def calibration(
    differences: Tensor,
    clusters: Sequence[Hashable] | None = None,
    *,
    probabilities: Tensor | None = None,
    bins: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Calibration of sigmoid(reward of chosen - reward of rejected).

    differences: (pairs,). clusters: what pairs share that makes them depend on each other (the prompt); whole clusters
    are drawn. probabilities: (pairs,) that the chosen one is the better, 1 where left out. bins: of equal width, 0.5 to
    1. ECE of few pairs is biased upwards, and so are its draws: compare models on equally many.
    """
    d = differences.detach().double().cpu().numpy()
    if not len(d):
        raise ValueError("calibration needs one pair at least.")
    if not np.isfinite(d).all():
        raise ValueError(
            f"the difference of rewards of pair {int(np.flatnonzero(~np.isfinite(d))[0])} is {d[~np.isfinite(d)][0]}."
        )
    p = np.ones_like(d) if probabilities is None else probabilities.double().cpu().numpy()
    confidence = 1 / (1 + np.exp(-np.abs(d)))
    right = np.where(d > 0, p, np.where(d < 0, 1 - p, 0.5))
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    named = {name: index for index, name in enumerate(dict.fromkeys(clusters or range(len(d))))}
    of = np.array([named[name] for name in (clusters or range(len(d)))])
    table: Floats = np.zeros((3, len(named), bins))  # pairs, confidence, right: by cluster and bin
    for row, values in zip(table, (np.ones_like(d), confidence, right), strict=True):
        np.add.at(row, (of, place), values)
    weights = np.random.default_rng(seed).multinomial(len(named), np.full(len(named), 1 / len(named)), size=draws)
    pairs, sure, correct = (weights @ row for row in table)  # (draws, bins) each
    drawn = np.abs(sure - correct).sum(1) / pairs.sum(1)
    pairs, sure, correct = table.sum(1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    curve = tuple(
        Bin(int(n), float(c / n), float(r / n)) for n, c, r in zip(pairs, sure, correct, strict=True) if n > 0
    )
    return Calibration(float(np.abs(sure - correct).sum() / len(d)), float(low), float(high), curve)


def accuracy(differences: Tensor, probabilities: Tensor | None = None) -> float:
    """Share of pairs whose chosen response has the higher reward; a tie of rewards is half."""
    p = torch.ones_like(differences) if probabilities is None else probabilities
    right = torch.where(differences > 0, p, torch.where(differences < 0, 1 - p, 0.5))
    return float(right.double().mean())
