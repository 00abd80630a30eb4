"""Several reward models that score as one: what one of them is wrong about the others may not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Reward
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.settings.reward import Combine


@dataclass(frozen=True)
class RewardEnsemble:
    """Scores responses by all of its members, which have one tokenizer."""

    members: tuple[RewardModel, ...]
    combine: Combine = "mean"

    @property
    def tokenizer(self) -> str:
        """That of its members."""
        return self.members[0].tokenizer

    def each(self, answered: Sequence[Answered], batch: int = 16) -> Tensor:
        """(members, items) fp32 scores, without gradients."""
        return torch.stack([member.raw_scores(answered, batch) for member in self.members])

    def raw_scores(self, answered: Sequence[Answered], batch: int = 16) -> Tensor:
        """(items,) fp32, without gradients."""
        return combined(self.each(answered, batch), self.combine)

    def reward(self, tokenizer: str, batch: int = 16) -> Reward:
        """A reward function for a policy with this tokenizer. Raises ValueError for another one than its members'."""
        for member in self.members:
            member.reward(tokenizer, batch)
        return lambda answered: self.raw_scores(answered, batch)


def combined(scores: Tensor, how: Combine) -> Tensor:
    """(members, items) -> (items,)."""
    match how:
        case "mean":
            return scores.mean(0)
        case "min":
            return scores.amin(0)
        case _:
            assert_never(how)
