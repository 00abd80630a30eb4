"""How much one forward pass may read, so that its memory is known before it runs."""

from __future__ import annotations

from typing import NamedTuple

from harness.models.contract import LanguageModel
from harness.scoring.head_slices import apart

TOKENS = 1024
"""Tokens of one pass: products of so many rows run at a CPU's full speed, and reading the weights costs little."""
MASKED_TOKENS = 384
"""The same for a model that multiplies out what a mask hides: sequences side by side then cost their square."""
LOGITS_BYTES = 30_000_000
"""Of fp32 logits that one pass may give: 150 positions of a vocabulary of 50,000. glibc maps what is larger than 32 MB
again each time, and clearing its pages costs more than writing it."""
PASS_COSTS = 16
"""What a pass costs beyond its tokens, in tokens: the weights are read whatever their number."""


class Budget(NamedTuple):
    """What one pass has room for."""

    tokens: int
    rows: int
    """Positions whose logits are computed."""
    pass_costs: int = PASS_COSTS


def budget_for(model: LanguageModel) -> Budget:
    """The budget of a model: where logits are made for some positions at a time, any token may be scored."""
    parted = apart(model)
    if parted is None:
        return Budget(MASKED_TOKENS, max(1, LOGITS_BYTES // (4 * model.identity.vocabulary)))
    tokens = TOKENS if model.identity.skips_masked and parted.head is not None else MASKED_TOKENS
    return Budget(tokens, tokens)
