"""A reward model: a policy's trunk and a head that reads one number from the state after a response's last token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Reward
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.reward_normalization import gain_and_bias
from reference_impl.alignment.value_head import RewardHead


@dataclass(frozen=True)
class RewardModel:
    """Scores responses. `trunk` gives the states; its own head over the vocabulary isn't used."""

    trunk: Policy
    head: RewardHead
    tokenizer: str = ""
    """What tells its tokenizer from others: a digest of `tokenizer.json`."""

    @property
    def module(self) -> nn.Module:
        """Trunk and head: what learns and what a training state keeps."""
        return nn.ModuleDict({"trunk": self.trunk.module, "head": self.head})

    def scores(self, answered: Sequence[Answered]) -> Tensor:
        """(items,) fp32, with gradients: of the state after the last token, EOS where the response ended with it."""
        states = self.trunk.states(answered)
        last = torch.tensor([len(item.response) + 1 for item in answered], device=states.device).cumsum(0) - 1
        found: Tensor = self.head(states[last])
        return found

    def raw_scores(self, answered: Sequence[Answered], batch: int = 16) -> Tensor:
        """Scores without gradients, a batch at a time, in evaluation mode."""
        self.trunk.module.eval()
        with torch.no_grad():
            return torch.cat([self.scores(answered[at : at + batch]) for at in range(0, len(answered), batch)])

    def reward(self, tokenizer: str, batch: int = 16) -> Reward:
        """A reward function for a policy with this tokenizer. Raises ValueError for another one than its own."""
        if tokenizer != self.tokenizer:
            raise ValueError(
                f"the reward model reads tokens of another tokenizer ({self.tokenizer or 'unnamed'}) than the policy "
                f"writes ({tokenizer or 'unnamed'}): the same ids mean other texts. Train a reward model on the "
                "policy's tokenizer."
            )
        return lambda answered: self.raw_scores(answered, batch)


def normalize(model: RewardModel, references: Sequence[Answered], mean: float = 0.0, std: float = 1.0) -> None:
    """Sets gain and shift so that scores of these responses (drawn from the reference) have this mean and spread.

    Done before training, so that rewards begin near 0, and again after it, so that a KL coefficient means the same
    for every reward model (lm-human-preferences, `train_reward.py`).
    """
    head, before = model.head, float(model.head.gain)
    head.gain.fill_(1.0)
    head.shift.fill_(0.0)
    gain, shift = gain_and_bias(model.raw_scores(references), mean, std)
    head.gain.fill_(gain)
    head.shift.fill_(shift)
    head.log_odds.mul_(before / gain)
