"""Adapter: any causal language model of Hugging Face `transformers`, once it is loaded (`transformers_opening.py`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from harness.models.contract import ModelIdentity
from harness.models.growing_cache import GrowingCache, keep_all
from harness.models.transformers_head import SplitHead, split_head
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.model.forward_pass import Forward

CACHES = ("past_key_values", "cache_params")
"""What classes call the cache that `DynamicCache` can be."""

Read = Callable[[Mapping[str, Any], Tensor | None], Tensor]
"""Arguments of the module's forward, and the positions that are wanted -> (batch, k or time, …)."""


@dataclass(frozen=True)
class Dimensions:
    """What decoding checks its input against."""

    vocabulary: int
    context: int


class TransformersPasses:
    """A loaded `transformers` module as forward passes with a cache: all of a model but its tokenizer and identity."""

    def __init__(
        self, module: Any, name: str, vocabulary: int, context: int, device: str, *, divisible: bool = True
    ) -> None:
        """divisible: whether sequences can be cut out of its caches and put together (`CacheBehavior.divisible`)."""
        self.module = module
        self.name = name
        self.config = Dimensions(vocabulary, context)
        self.device = device
        self._divisible = divisible
        self._takes = frozenset(inspect.signature(module.forward).parameters)
        self._cache_name = next((name for name in CACHES if name in self._takes), None)
        self.selects_logits = "logits_to_keep" in self._takes
        """Whether its class computes logits only where they are asked for."""

    @property
    def takes_cache(self) -> bool:
        """Whether its class can be given a cache at all."""
        return self._cache_name is not None

    @property
    def takes_positions(self) -> bool:
        """Whether its class can be told the positions of tokens."""
        return "position_ids" in self._takes

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> GrowingCache:
        """An empty cache; it grows as it is filled. See `Logits.new_cache`."""
        config = self.module.config.get_text_config()
        cache = DynamicCache(config=config)
        # a decoder that was cut out of an encoder-decoder counts the encoder's layers
        if getattr(config, "decoder_layers", len(cache.layers)) != len(cache.layers):
            cache = DynamicCache()
        if self._divisible and not sliding:
            keep_all(cache)
        return GrowingCache(cache, batch, length, divisible=self._divisible and not sliding)

    @property
    def forward(self) -> Forward:
        """See `Logits.forward`."""
        return partial(self._read, self._logits)

    @property
    def features(self) -> Forward:
        """See `HeadApart.features`."""
        return partial(self._read, self._features)

    def plain(self, tokens: Tensor) -> Tensor:
        """Logits of one pass over whole texts, outside of inference mode. (batch, time) -> (batch, time, vocabulary)"""
        logits: Tensor = self.module(**self._arguments(tokens)).logits
        return logits

    @property
    def head_is_apart(self) -> bool:
        """See `HeadApart.head_is_apart`."""
        return self._split is not None

    @property
    def head(self) -> Tensor | None:
        """See `HeadApart.head`."""
        return None if self._split is None else self._split.matrix

    def logits_of(self, features: Tensor) -> Tensor:
        """See `HeadApart.logits_of`."""
        assert self._split is not None
        return self._split.logits(features)

    @cached_property
    def _split(self) -> SplitHead | None:
        return split_head(self.module, self.config.vocabulary, self.device)

    def _logits(self, given: Mapping[str, Any], at: Tensor | None) -> Tensor:
        """given: see `_arguments`. at: (k,) positions; None means every one."""
        if at is None:
            return self.module(**given).logits  # type: ignore[no-any-return]
        if self.selects_logits:
            return self.module(**given, logits_to_keep=at).logits  # type: ignore[no-any-return]
        if self._split is not None:
            return self._split.logits(self._split.features(**given)[:, at])
        return self.module(**given).logits[:, at]  # type: ignore[no-any-return]

    def _features(self, given: Mapping[str, Any], at: Tensor | None) -> Tensor:
        """What the last steps make logits of, at the same positions."""
        assert self._split is not None
        features = self._split.features(**given)
        return features if at is None else features[:, at]

    @torch.inference_mode()
    def _read(
        self,
        read: Read,
        tokens: Tensor,
        cache: GrowingCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """What `read` gives of the tokens, after those in the cache: see `Forward`."""
        found = read(self._arguments(tokens, cache, positions, attention_mask), logits_at)
        if cache is not None:
            cache.advance(tokens.shape[1])
        return found

    def _arguments(
        self,
        tokens: Tensor,
        cache: GrowingCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> dict[str, Any]:
        """What the module's forward is called with: no more than its class takes."""
        if attention_mask is not None and attention_mask.dim() == 3:
            attention_mask = _added(attention_mask, self.module.dtype)
        elif positions is None and attention_mask is not None:
            # transformers would number the padding too, and shift a left-padded row's real tokens
            positions = (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        given: dict[str, Any] = {"input_ids": tokens}
        if positions is not None and self.takes_positions:
            given["position_ids"] = positions
        if attention_mask is not None:
            given["attention_mask"] = attention_mask
        if "use_cache" in self._takes:
            given["use_cache"] = cache is not None
        if cache is not None and self._cache_name is not None:
            given[self._cache_name] = cache.grown
        return given


class TransformersModel(TransformersPasses):
    """A loaded `transformers` model as a `LanguageModel`."""

    def __init__(self, module: Any, tokenizer: TransformersTokenizer, identity: ModelIdentity) -> None:
        super().__init__(
            module,
            identity.name,
            identity.vocabulary,
            identity.context,
            identity.device,
            divisible=identity.cache.divisible,
        )
        self.tokenizer = tokenizer
        self.identity = identity


def _added(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """What transformers adds to the scores of (1, time, keys): 0 where a token may look. (1, 1, time, keys)."""
    hidden = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return hidden.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
