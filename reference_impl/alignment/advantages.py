"""Rewards of tokens and what is made of them: generalized advantage estimation, returns and whitening.

All tensors are flat over the response tokens of a batch, item after item, beside the items' lengths: nothing is padded,
so no mask can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def token_rewards(scores: Tensor, kl: Tensor, coefficient: float, lengths: Sequence[int]) -> Tensor:
    """-coefficient * kl at every token, and the response's score on top at its last one (Ziegler et al. 2019).

    scores: (items,). kl: (tokens,), k1. Returns (tokens,).
    """
    rewards = -coefficient * kl
    last = torch.tensor(lengths, device=kl.device).cumsum(0) - 1
    return rewards.index_add(0, last, scores.to(rewards.dtype))


def generalized_advantages(
    rewards: Tensor, values: Tensor, lengths: Sequence[int], gamma: float = 1.0, lam: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Advantages and returns of every token (Schulman et al. 2016, "High-Dimensional Continuous Control Using GAE").

        delta_t = r_t + gamma V_{t+1} - V_t        A_t = delta_t + gamma lambda A_{t+1}        R_t = A_t + V_t

    V after a response's last token is 0, also of one that was cut off. rewards, values: (tokens,); values[t] is V of
    the state that token t was drawn in. With gamma = lambda = 1: advantage = reward to go - value.
    """
    count, longest = len(lengths), max(lengths)
    place = torch.arange(longest, device=rewards.device)
    inside = place < torch.tensor(lengths, device=rewards.device)[:, None]  # (items, longest)
    reward, value = (torch.zeros(count, longest + 1, dtype=rewards.dtype, device=rewards.device) for _ in range(2))
    reward[:, :-1][inside], value[:, :-1][inside] = rewards, values.to(rewards.dtype)
    delta = reward[:, :-1] + gamma * value[:, 1:] - value[:, :-1]  # after a last token both are 0, as filled in
    advantages, following = torch.zeros_like(delta), torch.zeros_like(delta[:, 0])
    for t in reversed(range(longest)):
        following = delta[:, t] + gamma * lam * following
        advantages[:, t] = following
    flat = advantages[inside]
    return flat, flat + values


def whiten(values: Tensor, *, shift_mean: bool) -> Tensor:
    """To standard deviation 1 (the biased one, as `tf.nn.moments` has it), and to mean 0 with `shift_mean`.

    Advantages are shifted. Rewards keep their mean, or what a policy earns on average would always be 0
    (lm-human-preferences, `whiten`). Still a token without a reward is given mean * (1 - 1/std), which changes what
    length is best: whitened rewards have no closed form. values: (n,).
    """
    mean = values.mean()
    white = (values - mean) * torch.rsqrt(values.var(unbiased=False) + 1e-8)
    return white if shift_mean else white + mean


def explained_variance(values: Tensor, returns: Tensor) -> Tensor:
    """1 - Var(returns - values) / Var(returns): 1 is perfect, 0 no better than a constant. NaN for equal returns."""
    return 1 - (returns - values).var(unbiased=False) / returns.var(unbiased=False)
