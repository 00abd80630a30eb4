"""A stage of alignment as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Alignment:
    """Everything that determines what a stage makes of a model, beside the code, the bytes of its data and the models
    that it starts from and asks."""

    method: str
    """`sft`, `reward`, `ppo` …: see `METHODS`."""
    data: str
    """What it learns from."""
    seed: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method that differ from its defaults."""

    @property
    def what(self) -> str:
        """See `Stage`."""
        return f"{self.method} on {self.data}"

    @property
    def length(self) -> str:
        """See `Stage`."""
        return ""

    @property
    def texts(self) -> tuple[str, ...]:
        """See `Stage`."""
        return ()

    @property
    def work(self) -> float | None:
        """See `Stage`."""
        return None


def data_digest(stage: Alignment, place: str) -> str:
    """Hash of everything that a stage reads. Raises UserError where it isn't there."""
    raise NotImplementedError
