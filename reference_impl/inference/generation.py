"""Continuing a sequence: read the prompt once (prefill), then one token at a time (decode).

The two are apart because they are different work: prefill multiplies matrices and is bound by arithmetic,
decode multiplies a vector by every weight and is bound by memory. They are timed apart as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.gpt import GPT


@torch.inference_mode()
def prefill(model: GPT, cache: KVCache, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read the prompts into an empty cache; give back the logits that follow them.

    tokens: (batch, time), padded on the left where attention_mask (batch, time) is 0.
    Returns logits: (batch, vocabulary).
    """
    last = torch.tensor([tokens.size(1) - 1], device=tokens.device)
    return model(tokens, cache=cache, attention_mask=attention_mask, logits_at=last)[:, 0]  # type: ignore[no-any-return]


@torch.inference_mode()
def decode(model: GPT, cache: KVCache, token: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read one more token of each sequence; give back the logits that follow it.

    token: (batch, 1). attention_mask: (batch, cached + 1) if the prompts were padded.
    Returns logits: (batch, vocabulary).
    """
    return model(token, cache=cache, attention_mask=attention_mask)[:, 0]  # type: ignore[no-any-return]


@torch.inference_mode()
def generate(model: GPT, tokens: Tensor, new_tokens: int, attention_mask: Tensor | None = None) -> Tensor:
    """Greedy continuation: the most likely token each time (the lowest id among equals).

    tokens: (batch, time), padded on the left where attention_mask (batch, time) is 0.
    Returns the new tokens alone: (batch, new_tokens).
    Raises ValueError when prompt and continuation don't fit the model's context.
    """
    batch, time = tokens.shape
    if new_tokens == 0:
        return tokens.new_empty(batch, 0)
    # The last new token is never read back, so it needs no room.
    cache = KVCache.for_model(model, batch, time + new_tokens - 1)
    token = prefill(model, cache, tokens, attention_mask).argmax(-1, keepdim=True)
    chosen = [token]
    for _ in range(new_tokens - 1):
        if attention_mask is not None:
            attention_mask = torch.cat([attention_mask, attention_mask.new_ones(batch, 1)], dim=1)
        token = decode(model, cache, token, attention_mask).argmax(-1, keepdim=True)
        chosen.append(token)
    return torch.cat(chosen, dim=1)
