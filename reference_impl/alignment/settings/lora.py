"""Settings of LoRA."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoRA:
    """Which weights an adapter has."""

    rank: int = 16
    """Inner width of each update, which is a product of two matrices."""
    alpha: float = 32.0
    """Updates are scaled by alpha / rank."""
    targets: str | tuple[str, ...] = "all-linear"
    """Names of linear layers, or `all-linear`: all but the head (Schulman et al. 2025, "LoRA Without Regret")."""
    seed: int = 0
    """Of the first of the two matrices; the second begins at 0, so an adapter begins by changing nothing."""

    def __post_init__(self) -> None:
        """Refuse what no adapter can be made of."""
        if self.rank < 1 or not self.alpha > 0:
            raise ValueError(f"an adapter has a rank of 1 or more and an alpha above 0, not {self.rank}, {self.alpha}.")
