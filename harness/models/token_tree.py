"""Several continuations of one text in one row: what each token of the row sees, and its position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Part(Protocol):
    """A run of tokens in the row."""

    @property
    def ids(self) -> Sequence[int]:
        """Its tokens."""

    @property
    def parent(self) -> int:
        """The part that it continues, by its place in the row; -1: it follows what is cached."""


class Branch(NamedTuple):
    """A `Part` and nothing more."""

    ids: Sequence[int]
    parent: int


def layout(parts: Sequence[Part], held: int) -> tuple[Tensor | None, Tensor]:
    """What each token of a row sees, and its position.

    held: tokens that are cached, which all see. Returns (1, time, held + time) bool, or None where every token sees all
    before it; and (1, time) int64.
    """
    import torch

    time = sum(len(part.ids) for part in parts)
    positions = torch.empty(1, time, dtype=torch.int64)
    visible = torch.zeros(1, time, held + time, dtype=torch.bool)
    visible[:, :, :held] = True
    starts: list[tuple[int, int]] = []  # of each part: in the row, in its own sequence
    at = 0
    for part in parts:
        end = at + len(part.ids)
        depth = held
        if part.parent >= 0:
            place, before = starts[part.parent]
            last = place + len(parts[part.parent].ids) - 1
            depth = before + len(parts[part.parent].ids)
            visible[0, at:end] = visible[0, last]
        visible[0, at:end, held + at : held + end] = torch.ones(len(part.ids), len(part.ids), dtype=torch.bool).tril()
        positions[0, at:end] = torch.arange(depth, depth + len(part.ids))
        starts.append((at, depth))
        at = end
    chain = all(part.parent == number - 1 for number, part in enumerate(parts))
    return (None if chain else visible), positions
