"""The KL coefficient that steers towards a wanted KL (Ziegler et al. 2019, section 2.2)."""

from __future__ import annotations

LARGEST_ERROR = 0.2


def adapted(coefficient: float, kl: float, target: float, horizon: float, responses: int) -> float:
    """The coefficient after a rollout: larger where KL was above the target, smaller below.

    kl, target: nats per response. horizon: responses over which the largest error would change it by 20 %.
    responses: in this rollout. The relative error kl/target - 1 is clipped to ±0.2 (lm-human-preferences,
    `AdaptiveKLController`).
    """
    error = min(max(kl / target - 1, -LARGEST_ERROR), LARGEST_ERROR)
    return coefficient * (1 + error * responses / horizon)
