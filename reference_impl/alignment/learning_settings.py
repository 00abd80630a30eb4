"""How a policy is stepped, whatever it learns from: AdamW, its learning rate over the steps, the largest gradient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from torch import nn

from reference_impl.training.schedule import ScheduleName, learning_rate_at
from reference_impl.training.state import Stepping


@dataclass(frozen=True)
class LearningSettings:
    """What every algorithm of alignment shares. What makes no sense raises ValueError when they are made."""

    learning_rate: float = 1e-5
    """Peak of the schedule. Some tens below that of pretraining; LoRA wants ten times as much."""
    schedule: ScheduleName = "linear"
    """What the learning rate does after its warm-up."""
    warmup: float = 0.0
    """Part of all steps in which the learning rate rises."""
    final: float = 0.0
    """Learning rate at the last step, as a part of the peak. A constant schedule doesn't look at it."""
    weight_decay: float = 0.0
    """Decay of matrices."""
    betas: tuple[float, float] = (0.9, 0.999)
    """How much AdamW keeps of the running means of the gradient and of its square at each step."""
    epsilon: float = 1e-8
    """Added to AdamW's denominator."""
    gradient_clip: float = 1.0
    """Largest L2 norm of the gradient; inf never clips."""
    micro_batches: int = 1
    """Parts that what a step learns from is cut into, to fit in memory; the result doesn't depend on it."""
    seed: int = 0
    """Determines the order of what is learned from, and samples."""
    report_every: int = 1
    """Steps (rollouts, of algorithms that have them) that one report is the mean of."""

    at_least_one: ClassVar[tuple[str, ...]] = ("micro_batches", "report_every")
    at_least_zero: ClassVar[tuple[str, ...]] = ("weight_decay",)
    above_zero: ClassVar[tuple[str, ...]] = ("learning_rate", "epsilon", "gradient_clip")

    def __post_init__(self) -> None:
        """Refuse what can't be learned with."""
        for name in self.at_least_one:
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in self.at_least_zero:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}.")
        for name in self.above_zero:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}.")
        for name in ("warmup", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a part, 0 to 1, not {getattr(self, name)}.")
        refuse_other_words(self, "schedule", get_args(ScheduleName))


def refuse_other_words(settings: object, name: str, words: tuple[str, ...]) -> None:
    """Raises ValueError where the setting is none of the words."""
    if getattr(settings, name) not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(settings, name)!r}.")


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


def set_tensorflow_epsilon(optimizer: torch.optim.Optimizer, epsilon: float, step: int) -> None:
    """Makes the next step that of TensorFlow's Adam with this epsilon, step counting from 0.

    TensorFlow adds epsilon to sqrt(v), PyTorch to sqrt(v / (1 - beta2^t)), so PyTorch's is epsilon / sqrt(1 -
    beta2^t): with beta2 = 0.999 31 times as large in the first step. The curves of Ziegler et al. are only met with it
    (Huang et al. 2023, "The N Implementation Details of RLHF with PPO").
    """
    for group in optimizer.param_groups:
        group["eps"] = epsilon / (1 - group["betas"][1] ** (step + 1)) ** 0.5
