"""The most that any policy can score at a divergence from a reference: the reference reweighted by exp(score / beta).

For each prompt, pi(y) = reference(y) · exp(score(y) / beta) / Z maximizes the expected score at its own
KL(pi || reference) (the Gibbs distribution; Korbak et al. 2022, section 3). From N samples of the reference it is
estimated by weights w_i = exp(score_i / beta) / sum: the score is sum of w_i · score_i and the divergence sum of
w_i · log(N · w_i). Where few samples carry all the weight, both fall below the truth: the effective sample size
1 / sum of w_i² (Kong 1992) says when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ceiling:
    """Over prompts: each field (prompts,)."""

    score: Floats
    divergence: Floats
    """Nats."""
    effective: Floats
    """Effective sample size, 1 to N."""


def ceiling(scores: Floats, beta: float) -> Ceiling:
    """The reweighted reference. scores: (prompts, N) of samples of the reference. ValueError for a beta that isn't
    above 0, and for scores that aren't numbers."""
    if beta <= 0 or not np.isfinite(scores).all() or scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError("a ceiling needs a beta above 0, and of each prompt the finite scores of its samples")
    logs = scores / beta
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    n = scores.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(weights > 0, weights * np.log(n * weights), 0.0)
    return Ceiling((weights * scores).sum(1), terms.sum(1), 1 / (weights**2).sum(1))
