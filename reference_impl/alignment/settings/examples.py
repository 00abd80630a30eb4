"""How often and in what batches examples are learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reference_impl.alignment.settings.learning import LearningSettings


@dataclass(frozen=True)
class ExampleSettings(LearningSettings):
    """How often and in what batches examples are learned from."""

    epochs: float = 1.0
    """Passes over the examples; a part of one is one."""
    batch: int = 16
    """Examples of a step."""

    at_least_one: ClassVar[tuple[str, ...]] = (*LearningSettings.at_least_one, "batch")
    above_zero: ClassVar[tuple[str, ...]] = (*LearningSettings.above_zero, "epochs")

    def __post_init__(self) -> None:
        """Refuse what can't be learned with."""
        super().__post_init__()
        if self.batch % self.micro_batches:
            raise ValueError(f"a batch of {self.batch} can't be cut into {self.micro_batches} equal micro-batches.")

    def steps(self, examples: int) -> int:
        """Of the whole run: as many as see each example `epochs` times at least."""
        return math.ceil(examples * self.epochs / self.batch)

    def parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """A batch's micro-batches."""
        size = self.batch // self.micro_batches
        return [indices[start : start + size] for start in range(0, self.batch, size)]
