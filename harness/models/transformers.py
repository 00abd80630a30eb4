"""Adapter: any causal language model of Hugging Face `transformers`, once it is loaded (`transformers_opening.py`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import ModelIdentity
from harness.models.rereading import TokensRead
from harness.models.transformers_head import SplitHead, split_head
from harness.models.transformers_tokenizer import TransformersTokenizer

CACHES = ("past_key_values", "cache_params")
"""What classes call the cache that `DynamicCache` can be."""

Read = Callable[[Mapping[str, Any], Tensor | None], Tensor]
"""Arguments of the module's forward, and the positions that are wanted -> (batch, k or time, …)."""


class TransformersModel:
    """A loaded `transformers` model as a `LanguageModel`."""

    def __init__(self, model: Any, tokenizer: TransformersTokenizer, identity: ModelIdentity) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._identity = identity
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self._selects_logits = "logits_to_keep" in self._takes
        self._cache_name = next((name for name in CACHES if name in self._takes), None)

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""
        return self._identity

    @property
    def tokenizer(self) -> TransformersTokenizer:
        """Its tokenizer."""
        return self._tokenizer

    @property
    def module(self) -> Any:
        """The `transformers` module."""
        return self._model

    @property
    def selects_logits(self) -> bool:
        """Whether its class computes logits only where they are asked for."""
        return self._selects_logits

    @property
    def takes_cache(self) -> bool:
        """Whether its class can be given a cache at all."""
        return self._cache_name is not None

    @property
    def takes_positions(self) -> bool:
        """Whether its class can be told the positions of tokens."""
        return "position_ids" in self._takes

    def of(self, module: Any) -> TransformersModel:
        """The same with another module."""
        return TransformersModel(module, self._tokenizer, self._identity)

    def behaving(self, cache: CacheBehavior) -> TransformersModel:
        """The same model, whose cache is used as far as this says."""
        return TransformersModel(self._model, self._tokenizer, self._identity.model_copy(update={"cache": cache}))

    def new_cache(self, batch: int, length: int) -> DynamicCache | TokensRead:
        """An empty cache; it grows as it is filled. Where none can be used, what is read is read again instead."""
        if not self._identity.cache.serves(length):
            return TokensRead(length)
        config = self._model.config.get_text_config()
        cache = DynamicCache(config=config)
        # a decoder that was cut out of an encoder-decoder counts the encoder's layers
        return cache if getattr(config, "decoder_layers", len(cache.layers)) == len(cache.layers) else DynamicCache()

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        cache: DynamicCache | TokensRead | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token: see `LanguageModel.forward`."""
        return self._run(self._logits, tokens, cache, positions, attention_mask, logits_at)

    def plain(self, tokens: Tensor) -> Tensor:
        """Logits of one pass over whole texts, outside of inference mode. (batch, time) -> (batch, time, vocabulary)"""
        logits: Tensor = self._model(**self._arguments(tokens)).logits
        return logits

    @property
    def head_is_apart(self) -> bool:
        """See `HeadApart.head_is_apart`."""
        return self._split is not None

    @property
    def head(self) -> Tensor | None:
        """See `HeadApart.head`."""
        return None if self._split is None else self._split.matrix

    def features(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """See `HeadApart.features`."""
        return self._run(self._features, tokens, cache, positions, attention_mask, at)

    def logits_of(self, features: Tensor) -> Tensor:
        """See `HeadApart.logits_of`."""
        assert self._split is not None
        return self._split.logits(features)

    @cached_property
    def _split(self) -> SplitHead | None:
        return split_head(self._model, self._identity.vocabulary, self._identity.device)

    def _logits(self, given: Mapping[str, Any], at: Tensor | None) -> Tensor:
        """given: see `_arguments`. at: (k,) positions; None means every one."""
        if at is None:
            return self._model(**given).logits  # type: ignore[no-any-return]
        if self._selects_logits:
            return self._model(**given, logits_to_keep=at).logits  # type: ignore[no-any-return]
        if self._split is not None:
            return self._split.logits(self._split.features(**given)[:, at])
        return self._model(**given).logits[:, at]  # type: ignore[no-any-return]

    def _features(self, given: Mapping[str, Any], at: Tensor | None) -> Tensor:
        """What the last steps make logits of, at the same positions."""
        assert self._split is not None
        features = self._split.features(**given)
        return features if at is None else features[:, at]

    def _run(
        self,
        read: Read,
        tokens: Tensor,
        cache: DynamicCache | TokensRead | None,
        positions: Tensor | None,
        attention_mask: Tensor | None,
        at: Tensor | None,
    ) -> Tensor:
        """What `read` gives of the tokens, after those in the cache."""
        if isinstance(cache, TokensRead):
            return self._read_again(read, cache.extended(tokens), tokens.shape[1], at)
        return read(self._arguments(tokens, cache, positions, attention_mask), at)

    def _arguments(
        self,
        tokens: Tensor,
        cache: DynamicCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> dict[str, Any]:
        """What the module's forward is called with: no more than its class takes."""
        if attention_mask is not None and attention_mask.dim() == 3:
            attention_mask = _added(attention_mask, self._model.dtype)
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
            given[self._cache_name] = cache
        return given

    def _read_again(self, read: Read, whole: Tensor, new: int, at: Tensor | None) -> Tensor:
        """What `read` gives at some of the last `new` positions, from passes over all that was read before them.

        Each position has a pass of its own where the length of a text changes the numbers at its beginning.
        """
        before = whole.shape[1] - new
        at = (torch.arange(new, device=whole.device) if at is None else at) + before
        rows = [whole] if self._identity.cache.rows else [row[None] for row in whole]
        found = []
        for row in rows:
            if self._identity.cache.limit is None:
                found.append(read(self._arguments(row), at))
            else:
                last = [torch.tensor([end], device=whole.device) for end in at.tolist()]
                each = [read(self._arguments(row[:, : int(end) + 1]), end) for end in last]
                found.append(torch.cat(each, dim=1))
        return torch.cat(found)


def _added(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """What transformers adds to the scores of (1, time, keys): 0 where a token may look. (1, 1, time, keys)."""
    hidden = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return hidden.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
