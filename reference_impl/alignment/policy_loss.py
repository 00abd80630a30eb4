"""The clipped losses of PPO, of every token, and the weights by which tokens make one loss.

A loss is `(weights * losses).sum()`: the weights are made once for a whole minibatch, so that cutting it into
micro-batches, or over processes, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reference_impl.alignment.settings.ppo import Averaging


def token_weights(lengths: Sequence[int], averaging: Averaging, longest: int | None = None) -> Tensor:
    """What each token of a minibatch counts: (tokens,) fp64 on the CPU.

    tokens: 1 / all tokens: the mean over tokens (PPO; DAPO, Yu et al. 2025, section 3.3).
    responses: 1 / (items * own length): the mean of responses' means (GRPO, Shao et al. 2024, equation 3), in which
        a token of a long response counts less.
    sums: 1 / items: the mean of responses' sums, which alone is the policy gradient (REINFORCE, RLOO).
    longest: 1 / (items * longest): `sums` over a constant (Dr. GRPO, Liu et al. 2025, section 3.2).
    """
    each = torch.tensor(lengths, dtype=torch.float64)
    count = len(lengths)
    if averaging == "tokens":
        weights = torch.full_like(each, 1 / sum(lengths))
    elif averaging == "responses":
        weights = 1 / (count * each)
    elif averaging == "sums":
        weights = torch.full_like(each, 1 / count)
    else:
        if longest is None:
            raise ValueError("averaging over the longest response needs its length: give `longest`.")
        weights = torch.full_like(each, 1 / (count * longest))
    return weights.repeat_interleave(torch.tensor(lengths))


class Clipped(NamedTuple):
    """Of every token."""

    loss: Tensor
    """(tokens,), with gradients."""
    clipped: Tensor
    """(tokens,) bool: where the clipped term is the larger, so that nothing is learned."""


def clipped_policy_loss(
    log_probs: Tensor, old: Tensor, advantages: Tensor, clip_low: float = 0.2, clip_high: float | None = None
) -> Clipped:
    """max(-A ratio, -A clip(ratio, 1 - low, 1 + high)) with ratio = policy / old policy.

    Schulman et al. 2017 ("Proximal Policy Optimization Algorithms", equation 7); `clip_high` apart is DAPO's (Yu et al.
    2025, section 3.1). log_probs, old, advantages: (tokens,), old and advantages without gradients.
    """
    ratio = (log_probs - old).exp()
    free = -advantages * ratio
    bounded = -advantages * ratio.clamp(1 - clip_low, 1 + (clip_low if clip_high is None else clip_high))
    return Clipped(torch.maximum(free, bounded), (bounded > free).detach())


def clipped_value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float = 0.2) -> Clipped:
    """max((V - R)², (clip(V, old - c, old + c) - R)²) / 2, of every token (lm-human-preferences, `PPOTrainer.loss`).

    values (with gradients), old, returns: (tokens,).
    """
    free = (values - returns).square()
    bounded = (torch.minimum(torch.maximum(values, old - clip), old + clip) - returns).square()
    return Clipped(0.5 * torch.maximum(free, bounded), (bounded > free).detach())
