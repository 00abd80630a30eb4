"""AdamW written out in plain tensor arithmetic: the definition that the fused kernel is tested against.

Two ideas on top of gradient descent (Kingma & Ba 2015, algorithm 1): *momentum*, a running mean of the gradient, and
*adaptive rates*, its division by the square root of the running mean of its square. Both running means start
at zero and are too small at first, which the bias correction undoes. Weight decay is decoupled (Loshchilov & Hutter
2019, algorithm 2): it shrinks the weight directly and never enters the running means.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """What Adam remembers of one parameter."""

    mean: Tensor
    """Running mean of the gradient, not yet corrected: the parameter's shape."""
    square: Tensor
    """Running mean of the gradient's square, not yet corrected: the parameter's shape."""
    steps: int
    """Steps made so far."""


def no_moments(weight: Tensor) -> Moments:
    """Before the first step."""
    return Moments(torch.zeros_like(weight), torch.zeros_like(weight), 0)


def adamw_step(
    weight: Tensor,
    gradient: Tensor,
    moments: Moments,
    *,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
    decay: float,
) -> tuple[Tensor, Moments]:
    """One step of one parameter: the new weight and the new moments; nothing is changed in place.

    weight, gradient: any shape, the same. epsilon is added to the *corrected* root, as in algorithm 1; the paper's
    "epsilon hat" (section 2), which is added before the correction, is another number.
    """
    beta1, beta2 = betas
    steps = moments.steps + 1
    mean = beta1 * moments.mean + (1 - beta1) * gradient
    square = beta2 * moments.square + (1 - beta2) * gradient**2
    corrected_mean = mean / (1 - beta1**steps)
    corrected_square = square / (1 - beta2**steps)
    shrunk = weight - rate * decay * weight
    return shrunk - rate * corrected_mean / (corrected_square.sqrt() + epsilon), Moments(mean, square, steps)


def clipped(gradients: list[Tensor], largest: float) -> list[Tensor]:
    """`gradients` scaled together so that their joint L2 norm is at most `largest` (Pascanu et al. 2013)."""
    norm = torch.stack([(gradient**2).sum() for gradient in gradients]).sum().sqrt()
    return [gradient * torch.clamp(largest / norm, max=1.0) for gradient in gradients]
