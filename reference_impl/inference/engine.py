"""Runs a trained GPT: the same logits as `GPT.forward`, by the fastest way that this machine has.

    engine = Engine(model)
    cache = engine.new_cache(batch=1, length=512)
    logits = engine(prompt, cache, logits_at=last)      # prefill: GPT.forward
    logits = engine(token, cache)                       # decode, or a few tokens: one call of the compiled kernel

Prefill multiplies matrices, and torch does that well. A decode step multiplies a vector by every weight, and torch's
overhead per operation is longer than that takes; so it goes to `native/decode.cpp` where that can be had.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.native.decoder import ROWS, NativeDecoder
from reference_impl.inference.quantized_modules import QuantizedLinear
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT


class Engine:
    """A GPT for inference. Its weights must not be moved or replaced afterwards."""

    def __init__(self, model: GPT) -> None:
        self.model = model.eval()
        self.native = NativeDecoder.of(model)
        stored = isinstance(model.head, QuantizedLinear)
        self.cache_dtype = torch.bfloat16 if stored else model.dtype

    @property
    def config(self) -> GPTConfig:
        """The model's shape."""
        return self.model.config

    def new_cache(self, batch: int, length: int) -> KVCache:
        """An empty cache for `batch` sequences of up to `length` tokens. ValueError beyond the context."""
        return KVCache(self.config, batch, length, dtype=self.cache_dtype, device=self.model.device)

    @torch.inference_mode()
    def __call__(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token: see `GPT.forward`, whose arguments, result and errors these are.

        Raises ValueError also for token ids outside of the vocabulary, where the kernel would read beyond its tables.
        """
        native = self.native
        if native is None or cache is None or not _is_small_step(tokens, cache, attention_mask):
            logits: Tensor = self.model(tokens, cache, positions, attention_mask, logits_at)
            return logits
        _check(tokens, cache, self.config)
        step = native.step(tokens, cache, positions, attention_mask)
        return step if logits_at is None else step[:, logits_at]


def _is_small_step(tokens: Tensor, cache: KVCache, attention_mask: Tensor | None) -> bool:
    """Whether these are a few real tokens of sequences that are padded on the left if at all."""
    if not 0 < tokens.numel() <= ROWS or not cache.keys.is_contiguous():
        return False
    if cache.keys.dtype not in (torch.float32, torch.bfloat16) or cache.keys.size(1) != tokens.size(0):
        return False
    if attention_mask is None:
        return True
    padding = attention_mask.size(1) - attention_mask.long().sum(1)
    return bool((attention_mask.long().argmax(1) == padding).all()) and bool(attention_mask[:, -tokens.size(1) :].all())


def _check(tokens: Tensor, cache: KVCache, config: GPTConfig) -> None:
    after = cache.length + tokens.size(1)
    if after > cache.capacity:
        raise ValueError(
            f"the cache has room for {cache.capacity} tokens and would have to hold {after}: allocate a longer one."
        )
    low, high = tokens.aminmax()
    if low < 0 or high >= config.vocabulary:
        raise ValueError(
            f"token id {int(low if low < 0 else high)} is outside of the model's vocabulary of {config.vocabulary}: "
            "use the tokenizer that the model was made for."
        )
