"""Attention of a row whose tokens see what they are told to: several continuations of one text, none seeing the others.

    given = model.begin(tokens, cache, positions, attention=TreeAttention(visible))
    features = model.features(tokens, given)

It is computed block by block, so that sequences which stand side by side in a row cost what they cost apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from reference_impl.native.attention import kernel_attention


@dataclass(frozen=True)
class Block:
    """Tokens first … end of the row, which see what is cached and each other, and no other token of the row."""

    first: int
    end: int
    visible: Tensor | None
    """(tokens, cached + tokens); None where they are plain causal, with nothing cached."""


class TreeAttention:
    """An `Attention` for one pass of one row, in which token i sees the tokens where visible[i]."""

    def __init__(self, visible: Tensor) -> None:
        """visible: (time, cached + time) bool; every token sees itself and nothing after it."""
        time, total = visible.shape
        self.visible = visible
        self.held = total - time

    @cached_property
    def blocks(self) -> list[Block]:
        """What is computed apart where there is no kernel that skips what is hidden."""
        return _blocks(self.visible)

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None, dropout: float) -> Tensor:
        """queries: (1, heads, time, head width); keys, values: (1, kv heads, cached + time, head width)."""
        mixed = kernel_attention(queries, keys, values, self.visible)
        if mixed is not None:
            return mixed
        grouped = queries.size(1) != keys.size(1)
        found = [
            F.scaled_dot_product_attention(
                queries[:, :, block.first : block.end],
                self._near(keys, block),
                self._near(values, block),
                attn_mask=block.visible,
                is_causal=block.visible is None,
                enable_gqa=grouped,
            )
            for block in self.blocks
        ]
        return found[0] if len(found) == 1 else torch.cat(found, dim=2)

    def _near(self, part: Tensor, block: Block) -> Tensor:
        own = part[:, :, self.held + block.first : self.held + block.end]
        if self.held == 0:
            return own
        if len(self.blocks) == 1:
            return part
        return torch.cat((part[:, :, : self.held], own), dim=2)


def _blocks(visible: Tensor) -> list[Block]:
    time, total = visible.shape
    held = total - time
    root = visible[:, held:].int().argmax(1)  # the first token of the row that each one sees
    # a block may begin where no later token sees anything before
    reach = root.flip(0).cummin(0).values.flip(0)
    starts = torch.nonzero(reach == torch.arange(time, device=visible.device))[:, 0].tolist()
    blocks = []
    for first, end in zip(starts, [*starts[1:], time], strict=True):
        near = torch.cat((visible[first:end, :held], visible[first:end, held + first : held + end]), dim=1)
        causal = held == 0 and bool(near.sum() == (end - first) * (end - first + 1) // 2)
        blocks.append(Block(first, end, None if causal else near))
    return blocks
