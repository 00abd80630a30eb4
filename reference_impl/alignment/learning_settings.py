"""How a policy is stepped, whatever it learns from: AdamW, its learning rate over the steps, the largest gradient."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from reference_impl.alignment.settings.learning import LearningSettings
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.state import Stepping


def stepping(modules: Iterable[nn.Module], settings: LearningSettings, steps: int) -> Stepping:
    """AdamW (fused) over all parameters of the modules that learn, a shared one once. steps: of the whole run.

    The schedule ends one step after the last, so that no step is made at a rate of 0. Raises ValueError where none
    learns.
    """
    found = {id(p): p for module in modules for p in module.parameters() if p.requires_grad}
    if not found:
        raise ValueError("no parameter of the policy has requires_grad, so nothing can learn: unfreeze it.")
    groups = [
        {"params": [p for p in found.values() if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in found.values() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.epsilon,
        fused=True,
    )

    def rate(step: int) -> float:
        return learning_rate_at(
            step,
            steps + 1,
            settings.learning_rate,
            schedule=settings.schedule,
            warmup=settings.warmup,
            final=settings.final,
        )

    return Stepping(optimizer, rate, settings.gradient_clip)


def set_tensorflow_epsilon(optimizer: torch.optim.Optimizer, epsilon: float) -> None:
    """Makes the next step that of TensorFlow's Adam with this epsilon. t below counts the steps that the optimizer
    made: one that was skipped (an early stop, a gradient that isn't finite) is none.

    TensorFlow adds epsilon to sqrt(v), PyTorch to sqrt(v / (1 - beta2^t)), so PyTorch's is epsilon / sqrt(1 -
    beta2^t): with beta2 = 0.999 31 times as large in the first step. The curves of Ziegler et al. are only met with it
    (Huang et al. 2023, "The N Implementation Details of RLHF with PPO").
    """
    made = [state["step"] for state in optimizer.state.values() if "step" in state]
    done = float(torch.stack(made).amax()) if made else 0.0
    for group in optimizer.param_groups:
        group["eps"] = epsilon / (1 - group["betas"][1] ** (done + 1)) ** 0.5
