"""Training a reference model for a suite: the request as data, and its execution in a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """Everything that determines a trained reference model, beside the code and the corpus' bytes."""

    preset: str
    corpus: str
    tokens: int
    vocabulary: int
    context: int
    batch: int | None
    learning_rate: float | None
    seed: int


def train(training: Training, folder: Path, on_step: Callable[[float, str], None]) -> dict[str, Any]:
    """Train the model and save its checkpoint in `folder`; returns the summary that the manifest keeps.

    The tokenizer is trained on the corpus' train split. `on_step` hears the share done and the last loss.
    """
    raise NotImplementedError(asdict(training))
