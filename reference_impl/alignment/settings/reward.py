"""Settings of reward models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from reference_impl.alignment.settings.examples import ExampleSettings
from reference_impl.alignment.settings.learning import refuse_other_words

Combine = Literal["mean", "min"]
REWARD_HEAD = "reward_head.safetensors"
"""The file of a reward model that others don't have, beside its trunk."""


@dataclass(frozen=True)
class RewardSettings(ExampleSettings):
    """Settings beyond those of every algorithm that learns from examples."""

    tie_threshold: float = 0.0
    """eta of Rao & Kupper: rewards closer than about this are ties. 0: a tie is half a win for each side."""
    seeds: int = 1
    """Reward models that are trained at once, each with a head, an order of the data and weights of its own. Several
    are an ensemble, which scores as one."""
    combine: Combine = "mean"
    """What an ensemble gives of its members' scores, each of which has mean 0 and standard deviation 1 on the same
    responses. min: a response is as good as the strictest one says."""
    center: float = 0.0
    """Weight of the mean of (reward of chosen + reward of rejected)² (Eisenstein et al. 2023): 0 leaves it out."""

    at_least_zero: ClassVar[tuple[str, ...]] = (*ExampleSettings.at_least_zero, "tie_threshold", "center")
    at_least_one: ClassVar[tuple[str, ...]] = (*ExampleSettings.at_least_one, "seeds")

    def __post_init__(self) -> None:
        """Refuse what is no reward model."""
        super().__post_init__()
        refuse_other_words(self, "combine", get_args(Combine))
