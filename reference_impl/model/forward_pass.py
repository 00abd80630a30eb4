"""What the layers of a GPT are given in one forward pass beside the residual stream: how to attend, to what, and where.

`GPT.begin` makes a `ForwardPass`. Whoever wants another attention, a cache of its own kind or one layer at a time gives
the layers another one; the model stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

Attention = Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]
"""(queries, keys, values, visible, dropout) -> output.

queries, output: (batch, heads, time, head width). keys, values: (batch, kv heads, cached + time, head width).
visible: bool, broadcastable to (batch, heads, time, cached + time), True where a query may look; None
means causal, with the queries standing at the end of the keys.
"""

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines, each (batch or 1, 1, time, head width), fp32."""


class Forward(Protocol):
    """How a model is asked to read tokens by whoever decodes or scores: `GPT.forward`, and what stands in its place."""

    def __call__(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token, or what the model makes them of.

        tokens: (batch, time) int64. cache: of the model, extended in place; the tokens follow what it holds.
        positions: (batch, time); by default they follow the cache, or count the real tokens of the mask, so that left
        padding shifts nothing. attention_mask: (batch, cached + time), 1 where a token is real; models that can (see
        who implements this) take (1, time, cached + time) bool for a single row, True where a token may look, which is
        at itself and never at one after it: then positions must be given.
        logits_at: (k,) indexes into time; None means every position.
        Returns (batch, k or time, vocabulary) in the model's compute type.
        """


class LayerCache(Protocol):
    """Keys and values of tokens that were read before; `reference_impl.inference.kv_cache.KVCache` is one."""

    @property
    def length(self) -> int:
        """Tokens held per sequence, padding included."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's new keys and values after those held, and return all of that layer's.

        keys, values: (batch, kv heads, time, head width) -> (batch, kv heads, length + time, head width).
        """

    def advance(self, time: int) -> None:
        """Count `time` more tokens as held, once every layer has appended them."""


class ForwardPass(NamedTuple):
    """What every layer of one forward pass is given beside the residual stream. `GPT.begin` makes it."""

    attention: Attention
    positions: Tensor
    """Of the tokens: (batch or 1, time)."""
    rotation: Rotation | None = None
    """Of queries and keys at these positions; None where positions are learned."""
    visible: Tensor | None = None
    """Which keys each query may look at, as `Attention` takes it."""
    cache: LayerCache | None = None
    layer: int | None = None
    """The cache's layer that a block reads and writes; needed where there is a cache."""

    def at(self, layer: int) -> ForwardPass:
        """The same pass for the block whose keys and values are this layer of the cache."""
        return ForwardPass(self.attention, self.positions, self.rotation, self.visible, self.cache, layer)

    def remember(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """These keys and values after those that the cache holds, in their type."""
        if self.cache is None:
            return keys, values
        if self.layer is None:
            raise ValueError("a block with a cache must know its layer: call block(x, given.at(layer)).")
        held = self.cache.append(self.layer, keys, values)
        return held[0].to(keys.dtype), held[1].to(keys.dtype)


def default_positions(cached: int, time: int, attention_mask: Tensor | None, device: torch.device) -> Tensor:
    """Positions of the last `time` tokens: (1, time), or (batch, time) where a mask tells rows apart.

    With padding on the left a row's first real token is at position 0; padding itself is given 0 too.
    """
    if attention_mask is None:
        return torch.arange(cached, cached + time, device=device).unsqueeze(0)
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -time:]


def visible_keys(attention_mask: Tensor, time: int) -> Tensor:
    """Which keys each of the last `time` queries may look at: (batch, 1, time, cached + time) bool.

    Causal, and only real tokens; a padding query sees itself, because a softmax over nothing is NaN and
    would leak into real rows through the next layer's values (0 times NaN).
    """
    total = attention_mask.size(-1)
    ones = torch.ones(time, total, dtype=torch.bool, device=attention_mask.device)
    causal = ones.tril(total - time)
    itself = causal & ~ones.tril(total - time - 1)
    return ((causal & attention_mask.bool()[:, None, :]) | itself)[:, None]
