"""Whether a model can read several continuations of one text in one pass."""

from __future__ import annotations

from harness.models.contract import LanguageModel


def can_share(model: LanguageModel, longest: int = 0) -> bool:
    """Whether the model obeys a mask of one's own and its cache can be cut back, for texts of up to `longest` tokens.

    A sliding window, positions that are not told (ALiBi) or a recurrent state would give wrong numbers.
    """
    behavior = model.identity.cache
    return behavior.tree and behavior.serves(longest)
