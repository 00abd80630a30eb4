"""KL(policy || reference) from the policy's own samples. (`prefix_kl.py` sums over the whole vocabulary instead.)

With d = log policy - log reference of a sampled token (Schulman 2020, "Approximating KL Divergence"):

    k1 = d                  unbiased; negative on single samples
    k2 = d**2 / 2           biased, small variance
    k3 = exp(-d) - 1 + d    unbiased, never negative

As a term of a loss, at every token, their expected gradients are not those of what they estimate (Tang & Munos 2025,
"On a Few Pitfalls in KL Divergence Gradient Estimation for RL"; docs/alignment.md derives it). With KL of the next
token at each prefix, and how often the policy comes by a prefix taken for a constant:

    k1  0
    k2  the gradient of KL(policy || reference) of the next token
    k3  the gradient of KL(reference || policy) of the next token
    k3 times the ratio policy / old policy ("corrected", DeepSeek-AI 2025, "DeepSeek-V3.2"): as k2

None knows that a token leads to prefixes where KL is large; k1 in the reward does.

KL of a response is the sum over its tokens, EOS included, in nats at the rollout's temperature.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from reference_impl.alignment.settings.policy_gradient import Estimator


def k1(log_probs: Tensor, reference: Tensor) -> Tensor:
    """log policy - log reference, of every token: unbiased, of either sign."""
    return log_probs - reference


def k2(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Half the square of k1."""
    return 0.5 * (log_probs - reference).square()


def k3(log_probs: Tensor, reference: Tensor) -> Tensor:
    """exp(-k1) - 1 + k1: unbiased and never negative."""
    difference = log_probs - reference
    return torch.expm1(-difference) + difference


def loss_kl(estimator: Estimator, log_probs: Tensor, reference: Tensor, old: Tensor) -> Tensor:
    """The KL term of a loss, of every token, with gradients. old: log-probabilities of the policy that drew them."""
    match estimator:
        case "k2":
            return k2(log_probs, reference)
        case "k3":
            return k3(log_probs, reference)
        case "k3_corrected":
            return (log_probs - old).exp() * k3(log_probs, reference)
        case _:
            assert_never(estimator)
