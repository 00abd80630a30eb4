"""Settings of reward models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reference_impl.alignment.settings.examples import ExampleSettings

REWARD_HEAD = "reward_head.safetensors"
"""The file of a reward model that others don't have, beside its trunk."""


@dataclass(frozen=True)
class RewardSettings(ExampleSettings):
    """Settings beyond those of every algorithm that learns from examples."""

    tie_threshold: float = 0.0
    """eta of Rao & Kupper: rewards closer than about this are ties. 0: a tie is half a win for each side."""
    center: float = 0.0
    """Weight of the mean of (reward of chosen + reward of rejected)² (Eisenstein et al. 2023): 0 leaves it out."""

    at_least_zero: ClassVar[tuple[str, ...]] = (*ExampleSettings.at_least_zero, "tie_threshold", "center")
