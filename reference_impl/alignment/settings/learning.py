"""How a policy is stepped, whatever it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from reference_impl.training.schedule import ScheduleName


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
