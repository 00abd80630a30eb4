"""Scores brought to a known mean and spread: a reward model's by reference samples, a rollout's by those so far."""

from __future__ import annotations

import torch
from torch import Tensor


def gain_and_bias(scores: Tensor, mean: float = 0.0, std: float = 1.0) -> tuple[float, float]:
    """The gain and bias that bring these scores to `mean` and `std` (lm-human-preferences, `set_reward_norms`).

    scores: (n,) as they are without gain and bias, n at least 2. Raises ValueError where they don't differ.
    """
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} reference score has no spread to bring to {std:g}: give 2 or more responses.")
    spread = float(scores.double().std())
    if not spread > 1e-12:
        raise ValueError(
            f"the {len(scores)} reference scores don't differ, so no gain gives them a spread of {std}: give more "
            "and different responses, or a reward head that is not zero."
        )
    gain = std / spread
    return gain, mean - gain * float(scores.double().mean())


def no_moments() -> Tensor:
    """Count, mean and sum of squared differences of no scores: (3,) fp64, kept in a training state."""
    return torch.zeros(3, dtype=torch.float64)


def with_scores(moments: Tensor, scores: Tensor) -> Tensor:
    """The moments of all scores so far and these (Chan et al. 1983)."""
    new = scores.double().to(moments.device)
    count, mean, squares = moments.unbind()
    total = count + len(new)
    difference = new.mean() - mean
    return torch.stack(
        (
            total,
            mean + difference * len(new) / total,
            squares + (new - new.mean()).square().sum() + difference.square() * count * len(new) / total,
        )
    )


def standard_deviation(moments: Tensor) -> Tensor:
    """Biased, scalar fp64."""
    return (moments[2] / moments[0].clamp(min=1)).sqrt()
