"""Heads that make one number of a state: the value of PPO and the reward of a reward model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ValueHead(nn.Linear):
    """State -> value of it. All zero at first: the first advantages are rewards to go (lm-human-preferences)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, states: Tensor) -> Tensor:
        """states: (rows, width). Returns (rows,) fp32."""
        return super().forward(states.to(self.weight.dtype))[:, 0].float()


class RewardHead(nn.Linear):
    """State after the last token -> gain * score + bias. Begins with a standard deviation of 1/sqrt(width + 1)
    (Stiennon et al. 2020, appendix B.1), of its own seed."""

    gain: Tensor
    shift: Tensor
    log_odds: Tensor
    """What a difference of scores is multiplied by to be the log-odds that were trained: 1 until scores are
    normalized after training."""

    def __init__(self, width: int, seed: int = 0) -> None:
        super().__init__(width, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.weight.copy_(torch.randn(1, width, generator=generator) / math.sqrt(width + 1))
            self.bias.zero_()
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("log_odds", torch.ones(()))

    def forward(self, states: Tensor) -> Tensor:
        """states: (rows, width). Returns (rows,) fp32."""
        return self.gain * super().forward(states.to(self.weight.dtype))[:, 0].float() + self.shift
