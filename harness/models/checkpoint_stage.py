"""A checkpoint of a stage of alignment as a model of its own: `{from: ppo, at: kl=0.5}`, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

METHOD = "checkpoint"
UNREACHED = "unreached.txt"
"""The one file of a checkpoint whose moment did not come: why not, a sentence."""


@dataclass(frozen=True)
class CheckpointOf:
    """Which one. It is copied out of the folder of its stage, when that is done."""

    at: str
    """`kl=0.5`, `after=20`."""
    of: str
    """The method of its stage."""

    @property
    def method(self) -> str:
        """See `Stage`."""
        return METHOD

    @property
    def what(self) -> str:
        """See `Stage`."""
        return f"{self.of} at {self.at}"

    @property
    def length(self) -> str:
        """See `Stage`."""
        return "a copy"

    @property
    def texts(self) -> tuple[str, ...]:
        """See `Stage`."""
        return ()

    @property
    def work(self) -> float | None:
        """See `Stage`."""
        return 0.0


def why_unreached(folder: Path) -> str | None:
    """Why there is no model in a checkpoint's folder; None where there is one."""
    try:
        return (folder / UNREACHED).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
