"""An answer that a model wrote. Imports no torch: samples are made of it long after the model is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop_string", "end", "length"]
"""What ended an answer: a stop string, an end token, or `max_new`, which cut it off."""


@dataclass(frozen=True)
class WrittenAnswer:
    """One answer."""

    text: str
    """Cut before a stop string, not stripped."""
    tokens: tuple[int, ...]
    """Every token that was drawn, one that ended it and those of a thought included."""
    log_probs: tuple[float, ...]
    """Of each token under the model itself, in nats."""
    finish: Finish
    thought: str | None = None
    """What the model thought before it; None: nothing."""
    answered: bool = True
    """False: it still thought when it ended, and the text is empty."""
