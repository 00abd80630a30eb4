"""What scores a response by its text alone, by name: the rewards of `reference_impl.alignment` that need no model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reference_impl.alignment.settings.scorers import SCORERS

if TYPE_CHECKING:
    from reference_impl.alignment.data.rows import Prompt

ABOUT: Mapping[str, str] = {name: scorer.about for name, scorer in SCORERS.items()}
"""What each gives, in a clause."""


def score(name: str, prompt: Prompt, response: str, ended: bool) -> float:
    """What a scorer gives; NaN for a prompt that says nothing to judge by."""
    try:
        return SCORERS[name].load()(prompt, response, ended)
    except ValueError:
        return math.nan
