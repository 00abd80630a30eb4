"""Training a reader on fresh sequences at every step: nothing is seen twice, so there is nothing to remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_impl.interpret.in_context_regression.task import Sequences, Task, draw
from reference_impl.training.loop import loop
from reference_impl.training.optimizer import make_optimizer
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import Stepping, TrainingState


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
    Raises DivergenceError where gradients stop being finite.
    """
    settings = TrainingSettings(tokens=1, weight_decay=0.0, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(recipe.seed)
    first = points - 1 if last_point_only else 0

    def batches(step: int) -> Sequences:
        return draw(task, recipe.batch, points, generator)

    def objective(drawn: Sequences) -> Mapping[str, Tensor]:
        loss = (reader(drawn.x, drawn.y) - drawn.y)[:, first:].square().mean() / task.dimensions
        loss.backward()
        return {"loss": loss.detach()}

    def rate(step: int) -> float:
        return learning_rate_at(step, recipe.steps, recipe.learning_rate, warmup=recipe.warmup)

    stepping = Stepping(make_optimizer(reader, settings, recipe.learning_rate), rate, settings.gradient_clip)
    state = TrainingState({"reader": reader}, {"reader": stepping}, {"sequences": generator})
    loop(
        objective,
        batches,
        recipe.steps,
        state,
        report_after=range(1, recipe.steps + 1),
        on_report=lambda report: on_step(report.step, report.values["loss"]),
    )
    return [report.values["loss"] for report in state.curve]
