"""A policy's states kept, so that log-probabilities and KL are read from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Head, Policy


@dataclass(frozen=True)
class StatesOfPolicy:
    """A `Policy` of the items alone that its states are of."""

    module: nn.Module
    head: Head
    kept: Tensor

    def states(self, answered: Sequence[Answered]) -> Tensor:
        """Those that were kept."""
        return self.kept


def read(policy: Policy, answered: Sequence[Answered]) -> StatesOfPolicy:
    """One forward pass over these items."""
    return StatesOfPolicy(policy.module, policy.head, policy.states(answered))
