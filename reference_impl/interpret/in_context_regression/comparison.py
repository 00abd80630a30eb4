"""What a reader's forward pass looks like: its predictions and its implied weights beside those of algorithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reference_impl.interpret.in_context_regression.algorithms import (
    best_step_size,
    gradient_descent,
    least_squares,
    ridge,
)
from reference_impl.interpret.in_context_regression.reader import Reader
from reference_impl.interpret.in_context_regression.task import Task, draw

GRADIENT_STEPS = (1, 2, 4, 8)
"""Numbers of gradient steps that a reader is compared with, each with its own best step size."""
FITTED_ON = 4096
"""Sequences on which step sizes are fitted: others than those that are tested."""

Labels = Literal["own", "shifted"]


@dataclass(frozen=True)
class Comparison:
    """Of test sequences with the same number of pairs. All tensors are float64."""

    target: Tensor
    """(sequences,) w·x of the last point, without noise."""
    prediction: Tensor
    """(sequences,) the reader's."""
    weights: Tensor
    """(sequences, d): how the reader's prediction changes with the x that is asked for (von Oswald et al. 2023,
    section 3, 'sensitivity'). An algorithm that finds a w has this very w."""
    predictions: dict[str, Tensor]
    """(sequences,) of each algorithm."""
    found: dict[str, Tensor]
    """(sequences, d): the w of those algorithms that find one."""
    step_sizes: dict[str, float]
    """Of those that make gradient steps."""


def compare(reader: Reader, task: Task, pairs: int, sequences: int, seed: int, labels: Labels = "own") -> Comparison:
    """Read new sequences of `pairs` pairs and one x.

    With `labels` shifted, the reader is shown each x with the y of the next pair (the last with the first's), which
    says nothing of w: a reader that learns from its pairs is lost. The algorithms always get the pairs as
    they are. Raises ValueError for fewer pairs than can be shifted.
    """
    if pairs < (1 if labels == "own" else 2):
        raise ValueError(f"{pairs} pairs are too few" + (" to shift labels between them." if pairs else "."))
    generator = torch.Generator().manual_seed(seed)
    fitted_on = draw(task, FITTED_ON, pairs, generator, torch.float64)
    tested = draw(task, sequences, pairs + 1, generator, torch.float64)
    shown = tested.y.clone()
    if labels == "shifted":
        shown[:, :-1] = tested.y[:, :-1].roll(-1, dims=1)
    prediction, weights = _read(reader, tested.x, shown)

    x, y, asked = tested.x[:, :-1], tested.y[:, :-1], tested.x[:, -1]
    found, step_sizes = {}, {}
    for steps in GRADIENT_STEPS:
        name = f"gradient_steps_{steps}"
        step_sizes[name] = best_step_size(fitted_on.x, fitted_on.y, fitted_on.weights, steps)
        found[name] = gradient_descent(x, y, step_sizes[name], steps)
    found["least_squares"] = least_squares(x, y)
    if task.noise:  # without noise it is least squares
        found["bayes"] = ridge(x, y, task.noise**2)
    predictions = {"zero": torch.zeros_like(prediction), "mean_y": y.mean(1)}
    predictions |= {name: (w * asked).sum(-1) for name, w in found.items()}
    return Comparison(tested.target[:, -1], prediction, weights, predictions, found, step_sizes)


def _read(reader: Reader, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions at the last point, (sequences,), and their gradients there, (sequences, d), in float64."""
    x = x.float().requires_grad_()
    y = y.float()
    y[:, -1] = 0.0  # what is asked for is not shown
    prediction = reader(x, y)[:, -1]
    (gradient,) = torch.autograd.grad(prediction.sum(), x)
    return prediction.detach().double(), gradient[:, -1].double()
