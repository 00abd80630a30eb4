"""How far the decoder that drew responses and the model that learns from them disagree about their probabilities.

Both hold the same weights, but other kernels, another order of sums, another type perhaps. The ratio of PPO and GRPO
pretends that there is no difference, so it is measured: in fp32 it is rounding (1e-5 nats), in bf16 it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.alignment.rollout import Rolled


@dataclass(frozen=True)
class Mismatch:
    """Rollout's against trainer's log-probabilities of the same tokens at the same temperature, in nats."""

    mean: float
    """Mean absolute difference per token."""
    largest: float
    """Largest absolute difference of a token."""
    k1: float
    """Estimates KL(rollout || trainer) per response by the difference itself (Schulman 2020, "Approximating KL
    divergence"): without bias, of either sign."""
    k3: float
    """The same by (r - 1) - log r, with r = trainer / rollout: without bias, never negative."""


def mismatch(rolled: Sequence[Rolled], log_probs: Tensor) -> Mismatch:
    """log_probs: of every response token by the trainer, (tokens,), flat: `token_log_probs` at the temperature.

    Raises ValueError where they are not of these tokens.
    """
    drawn = torch.tensor([value for one in rolled for value in one.log_probs], dtype=torch.float64)
    if not len(drawn) or len(drawn) != len(log_probs):
        raise ValueError(f"{len(log_probs)} log-probabilities are not those of {len(drawn)} response tokens.")
    ratio = log_probs.detach().cpu().double() - drawn
    return Mismatch(
        mean=float(ratio.abs().mean()),
        largest=float(ratio.abs().max()),
        k1=float(-ratio.sum()) / len(rolled),
        k3=float((ratio.expm1() - ratio).sum()) / len(rolled),
    )
