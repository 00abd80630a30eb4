"""Algorithms that find w from pairs: pure functions of x (sequences, pairs, d) and y (sequences, pairs).

Each returns w (sequences, d); its prediction for a new x is w·x. With w ~ N(0, I) and noise of standard deviation s,
`ridge` with a penalty of s² is the posterior mean, which no predictor beats in expected squared error; without noise
that is `least_squares`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gradient_descent(x: Tensor, y: Tensor, step_size: float, steps: int) -> Tensor:
    """`steps` steps from w = 0 down the gradient of half the mean squared error over the pairs.

    The first is w = step_size/pairs · Σ y·x: what von Oswald et al. 2023, proposition 1, build from linear attention.
    """
    pairs = x.size(1)
    weights = x.new_zeros(x.size(0), x.size(2))
    for _ in range(steps):
        residual = y - torch.einsum("npd,nd->np", x, weights)
        weights = weights + step_size / pairs * torch.einsum("np,npd->nd", residual, x)
    return weights


def best_step_size(x: Tensor, y: Tensor, weights: Tensor, steps: int) -> float:
    """The one step size of all `steps` steps that brings gradient descent nearest to the true `weights` (sequences, d)
    in the mean over these sequences: the expected squared error at a new x ~ N(0, I).

    Golden section between 0 and 2, down to 1e-6. Without noise the error is convex in the step size: along an
    eigenvector of the pairs' covariance with eigenvalue c it is (1 - step_size·c)^(2·steps) of what is to be found.
    """

    def error(step_size: float) -> float:
        found = float((gradient_descent(x, y, step_size, steps) - weights).square().sum(-1).mean())
        return found if math.isfinite(found) else math.inf

    golden = (math.sqrt(5.0) - 1.0) / 2.0
    low, high = 0.0, 2.0
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = error(left), error(right)
    while high - low > 1e-6:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = error(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = error(right)
    return (low + high) / 2.0


def ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """argmin over w of Σ (y - w·x)² + penalty · |w|², for a penalty above 0."""
    identity = torch.eye(x.size(2), dtype=x.dtype)
    found: Tensor = torch.linalg.solve(x.mT @ x + penalty * identity, x.mT @ y[..., None])
    return found[..., 0]


def least_squares(x: Tensor, y: Tensor) -> Tensor:
    """The w of least norm among those of least squared error."""
    found: Tensor = torch.linalg.pinv(x) @ y[..., None]
    return found[..., 0]
