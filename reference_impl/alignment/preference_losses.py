"""What a pair of responses costs: Bradley-Terry for rewards, DPO, IPO and SimPO for policies. All losses are (pairs,).

`probability` is how sure it is that the chosen one is the better: 1 in plain data, 1 - epsilon with label smoothing,
1/2 for a tie, the true share where several people were asked.

Of the methods without a reference SimPO is here. It reads the same pairs as DPO, needs half of the memory and none of
the passes of a reference, and has the length-normalized reward that DPO must not have, so both can be seen side by
side. (KTO wants unpaired labels and a KL estimated from mismatched pairs; ORPO is SFT with a penalty.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)


def soft_bradley_terry(difference: Tensor, probability: Tensor | float) -> Tensor:
    """Cross-entropy of `probability` against sigmoid(difference), in nats (Bradley & Terry 1952)."""
    return -probability * F.logsigmoid(difference) - (1 - probability) * F.logsigmoid(-difference)


def reward_loss(
    chosen: Tensor,
    rejected: Tensor,
    *,
    probability: Tensor | float = 1.0,
    margin: Tensor | float = 0.0,
    ties: Tensor | None = None,
    tie_threshold: float = 0.0,
) -> Tensor:
    """-log probability of what was said of each pair, by the rewards' difference.

    chosen, rejected: (pairs,) rewards. margin: by how much the chosen one should win (Llama 2: Touvron et al. 2023,
    equation 2). ties: (pairs,) bool, where neither won. With a `tie_threshold` eta > 0 the model is Rao & Kupper's
    (1967): P(win) = sigmoid(d - eta), P(tie) = (e^(2 eta) - 1) sigmoid(d - eta) sigmoid(-d - eta); with 0 a tie
    is half a win for each side.
    """
    difference = chosen - rejected
    wins = -probability * F.logsigmoid(difference - margin - tie_threshold)
    losses = -(1 - probability) * F.logsigmoid(margin - difference - tie_threshold)
    if ties is None:
        return wins + losses
    if tie_threshold > 0:
        level = -(
            math.log(math.expm1(2 * tie_threshold))
            + F.logsigmoid(difference - tie_threshold)
            + F.logsigmoid(-difference - tie_threshold)
        )
    else:
        level = soft_bradley_terry(difference, 0.5)
    return torch.where(ties, level, wins + losses)


def implied_reward(log_probs: Tensor, reference: Tensor, beta: float) -> Tensor:
    """beta (log policy - log reference) of whole responses: DPO's reward, but for a constant of the prompt."""
    return beta * (log_probs - reference)


def dpo_loss(log_ratios: Tensor, beta: float, probability: Tensor | float = 1.0) -> Tensor:
    """Cross-entropy of sigmoid(beta h) (Rafailov et al. 2023, equation 7; smoothed: Mitchell 2023, "cDPO").

    log_ratios: (pairs,) h = [log policy - log reference](chosen) - the same (rejected), of *sums* over responses.
    """
    return soft_bradley_terry(beta * log_ratios, probability)


def ipo_loss(log_ratios: Tensor, beta: float, probability: Tensor | float = 1.0) -> Tensor:
    """(h - 1/(2 beta))² (Azar et al. 2023, equation 17, whose tau is beta), h as in `dpo_loss`.

    A label that is unsure is both orders at their probabilities. TRL's form gives h from means over tokens instead
    of sums (`Variant` in dpo.py).
    """
    goal = 1 / (2 * beta)
    return probability * (log_ratios - goal).square() + (1 - probability) * (-log_ratios - goal).square()


def simpo_loss(mean_differences: Tensor, beta: float, margin: float, probability: Tensor | float = 1.0) -> Tensor:
    """Cross-entropy of sigmoid(beta * difference - margin) (Meng et al. 2024, equation 6, whose gamma is the margin).

    mean_differences: (pairs,) mean log-probability per token of the chosen minus that of the rejected; no reference.
    """
    return soft_bradley_terry(beta * mean_differences - margin, probability)
