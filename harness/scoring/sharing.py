"""Whether a model can read several continuations of one text in one pass, and the cache that it does so with."""

from __future__ import annotations

from typing import Any

from harness.models.contract import LanguageModel
from harness.models.growing_cache import GrowingCache


class Held:
    """A KV cache of one row that can be cut back."""

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        limit = model.identity.cache.limit  # of positions: what stands side by side in the row has the same ones
        cache = model.new_cache(1, capacity if limit is None else min(capacity, limit))
        self._cuttable = GrowingCache(cache) if hasattr(cache, "crop") else cache
        self.cache: Any = cache

    def cut(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if self._cuttable.length > length:
            self._cuttable.truncate(length)


def can_share(model: LanguageModel, longest: int = 0) -> bool:
    """Whether the model obeys a mask of one's own and its cache can be cut back, for texts of up to `longest` tokens.

    A sliding window, positions that are not told (ALiBi) or a recurrent state would give wrong numbers.
    """
    behavior = model.identity.cache
    return behavior.tree and behavior.serves(longest)
