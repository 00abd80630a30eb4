"""KL(policy || reference) from the policy's own samples. (`prefix_kl.py` sums over the whole vocabulary instead.)

With d = log policy - log reference of a sampled token (Schulman 2020, "Approximating KL Divergence"):

    k1 = d                  unbiased; negative on single samples
    k2 = d**2 / 2           biased, small variance; its *gradient* is that of KL(policy || reference)
    k3 = exp(-d) - 1 + d    unbiased, never negative

As a term of a loss their gradients differ from the gradient of what they estimate: that of k1 is 0 in expectation,
that of k2 is the gradient of KL(policy || reference), that of k3 the gradient of KL(reference || policy) (Tang & Munos
2025, "On a Few Pitfalls in KL Divergence Gradient Estimation for RL"; docs/alignment.md derives it).

KL of a response is the sum over its tokens, EOS included, in nats at the rollout's temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


ESTIMATORS: Mapping[Estimator, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k2": k2, "k3": k3}
