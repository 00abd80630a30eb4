"""What reads pairs as vectors: the contract of the models here."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Reader(Protocol):
    """A causal model of pairs, an `nn.Module`."""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """x: (sequences, points, d). y: (sequences, points).

        Returns (sequences, points): of each point the y that is predicted from its x and the pairs before it. Its own
        y and what follows have no effect.
        """
