"""The task: every sequence has a weight vector of its own, to be found from its pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """x ~ N(0, I), w ~ N(0, I), y = w·x + noise (Garg et al. 2022, section 3). Impossible ones raise ValueError."""

    dimensions: int
    """d: entries of x and w."""
    noise: float = 0.0
    """Standard deviation of the noise in y."""

    def __post_init__(self) -> None:
        """Refuse what can't be drawn."""
        if self.dimensions < 1:
            raise ValueError(f"dimensions must be at least 1, not {self.dimensions}.")
        if not 0.0 <= self.noise < float("inf"):
            raise ValueError(f"noise must be at least 0, not {self.noise}.")


@dataclass(frozen=True)
class Sequences:
    """Sequences of one task. The last point is the one that is asked for, where only one is."""

    x: Tensor
    """(sequences, points, d)"""
    y: Tensor
    """(sequences, points), with noise."""
    weights: Tensor
    """(sequences, d): what is to be found."""

    @property
    def target(self) -> Tensor:
        """(sequences, points): w·x without noise, so that 0 is the least error whatever the noise."""
        return torch.einsum("npd,nd->np", self.x, self.weights)


def draw(
    task: Task, sequences: int, points: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Sequences:
    """Sequences that only the generator's state determines; drawn in `dtype`, on the CPU."""
    x = torch.randn(sequences, points, task.dimensions, generator=generator, dtype=dtype)
    weights = torch.randn(sequences, task.dimensions, generator=generator, dtype=dtype)
    noise = torch.randn(sequences, points, generator=generator, dtype=dtype)
    return Sequences(x, torch.einsum("npd,nd->np", x, weights) + task.noise * noise, weights)
