"""Training a reader on fresh sequences at every step: nothing is seen twice, so there is nothing to remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from reference_impl.interpret.in_context_regression.task import Task, draw
from reference_impl.training.optimizer import guarded_step, make_optimizer
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """How a reader is trained: AdamW without decay, a linear warm-up and a cosine down to 0."""

    steps: int
    batch: int
    """Sequences per step."""
    learning_rate: float
    """Its peak."""
    warmup: float = 0.05
    """Part of the steps in which the learning rate rises."""
    seed: int = 0
    """Determines the sequences. The reader's start is the caller's."""

    def __post_init__(self) -> None:
        """Refuse what can't be trained with."""
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate}.")


def train(
    reader: nn.Module,
    task: Task,
    points: int,
    recipe: Recipe,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    *,
    last_point_only: bool = False,
) -> list[float]:
    """Train `reader` (see `Reader`) in place on sequences of `points` points; returns the loss of every step.

    The loss is the mean over points of (prediction - y)²/d, or that of the last point alone. `on_step` hears
    how many steps are done and the last loss. On one machine with as many threads, the same gives the same bits.
    """
    settings = TrainingSettings(tokens=1, weight_decay=0.0, betas=(0.9, 0.99))
    optimizer = make_optimizer(reader, settings, recipe.learning_rate)
    generator = torch.Generator().manual_seed(recipe.seed)
    losses = []
    first = points - 1 if last_point_only else 0
    for step in range(recipe.steps):
        drawn = draw(task, recipe.batch, points, generator)
        loss = (reader(drawn.x, drawn.y) - drawn.y)[:, first:].square().mean() / task.dimensions
        loss.backward()
        rate = learning_rate_at(step, recipe.steps, recipe.learning_rate, warmup=recipe.warmup)
        guarded_step(optimizer, rate, settings.gradient_clip)
        losses.append(float(loss.detach()))
        on_step(step + 1, losses[-1])
    return losses
