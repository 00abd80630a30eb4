"""Runs a trained GPT: the same logits as `GPT.forward`, by the fastest way that this machine has.

    engine = Engine(model)
    cache = engine.new_cache(batch=1, length=512)
    logits = engine(prompt, cache, logits_at=last)      # prefill: the model, with compiled attention
    logits = engine(token, cache)                       # decode, or a few tokens: one call of the compiled kernel

Prefill multiplies matrices, and torch does that well; its attention is the compiled one where that can be had, given to
each pass, so that the model stays as it is. A decode step multiplies a vector by every weight, and torch's overhead per
operation is longer than that takes; so it goes to `native/decode.cpp` where that can be had.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.native_decoder import ROWS, NativeDecoder
from reference_impl.inference.tree_attention import TreeAttention
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native.attention import native_attention
from reference_impl.quantization.quantized_modules import QuantizedLinear


class Engine:
    """A GPT for inference, with the weights of this moment: make another one after they change, move or are replaced.

    The compiled decoder keeps addresses of some weights and copies of others.
    """

    def __init__(self, model: GPT) -> None:
        self.model = model.eval()
        self.attention = model.attend or native_attention
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
    def forward(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token: see `Forward`, and `GPT.forward`, whose errors these are.

        attention_mask: may also be (1, time, cached + time) bool for a single row: see `TreeAttention`.
        Raises ValueError also for no tokens at all, for token ids outside of the vocabulary and for positions outside
        of the context: the kernel would read beyond its tables.
        """
        native = self.native
        if native is None or cache is None or not _is_small_step(tokens, cache, attention_mask, self.config):
            return self.model.unembed(self.features(tokens, cache, positions, attention_mask, logits_at))
        _check_ids(tokens, self.config)
        _check_places(tokens, cache, positions, self.config)
        step = native.step(tokens, cache, positions, attention_mask)
        return step if logits_at is None else step[:, logits_at]

    __call__ = forward

    @torch.inference_mode()
    def features(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """What the head multiplies, for whoever does that a piece at a time: (batch, k or time, width).

        Arguments and errors are those of `forward`; `unembed` makes logits of it.
        """
        if tokens.device.type == "cpu" or tokens.size(-1) > 1:  # not in a GPU's decode steps, which would wait for it
            _check_ids(tokens, self.config)
        attention = self.attention
        if attention_mask is not None and attention_mask.dim() == 3:
            attention, attention_mask = TreeAttention(attention_mask[0]), None
        given = self.model.begin(tokens, cache, positions, attention_mask, attention)
        return self.model.features(tokens, given, logits_at)

    @torch.inference_mode()
    def unembed(self, features: Tensor) -> Tensor:
        """See `GPT.unembed`."""
        return self.model.unembed(features)

    @property
    def plain_head(self) -> Tensor | None:
        """The head's matrix (vocabulary, width), if logits are its plain product in fp32, and None otherwise."""
        head = self.model.head
        if type(head) is nn.Linear and head.bias is None and head.weight.dtype is self.model.dtype is torch.float32:
            return head.weight.detach()
        return None


def _is_small_step(tokens: Tensor, cache: KVCache, attention_mask: Tensor | None, config: GPTConfig) -> bool:
    """Whether these are a few real tokens of sequences that are padded on the left if at all, and the cache is theirs.

    What is not goes to the model, which does it or says what is wrong.
    """
    if tokens.dim() != 2 or not 0 < tokens.numel() <= ROWS:
        return False
    held = (config.layers, tokens.size(0), config.kv_heads, cache.capacity, config.head_width)
    for part in (cache.keys, cache.values):
        if part.shape != held or part.dtype not in (torch.float32, torch.bfloat16) or not part[0].is_contiguous():
            return False
    if cache.keys.stride(0) != cache.values.stride(0):
        return False
    if attention_mask is None:
        return True
    if attention_mask.shape != (tokens.size(0), cache.length + tokens.size(1)):
        return False
    padding = attention_mask.size(1) - attention_mask.long().sum(1)
    return bool((attention_mask.long().argmax(1) == padding).all()) and bool(attention_mask[:, -tokens.size(1) :].all())


def _check_places(tokens: Tensor, cache: KVCache, positions: Tensor | None, config: GPTConfig) -> None:
    after = cache.length + tokens.size(1)
    if after > cache.capacity:
        raise ValueError(
            f"the cache has room for {cache.capacity} tokens and would have to hold {after}: allocate a longer one."
        )
    if positions is not None and config.positions == "learned" and _outside(positions, config.context) is not None:
        raise ValueError(
            f"position {_outside(positions, config.context)} is outside of the model's context of {config.context}."
        )


def _check_ids(tokens: Tensor, config: GPTConfig) -> None:
    if tokens.numel() == 0:
        raise ValueError("there are no tokens to read: give each sequence one at least, the BOS token if nothing else.")
    wrong = _outside(tokens, config.vocabulary)
    if wrong is not None:
        raise ValueError(
            f"token id {wrong} is outside of the model's vocabulary of {config.vocabulary}: "
            "use the tokenizer that the model was made for."
        )


def _outside(indexes: Tensor, size: int) -> int | None:
    """An index that a table of so many rows hasn't, if there is one."""
    low, high = (int(end) for end in indexes.aminmax())
    return low if low < 0 else high if high >= size else None
