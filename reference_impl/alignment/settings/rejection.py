"""Settings of rejection sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from reference_impl.alignment.settings.examples import ExampleSettings


@dataclass(frozen=True)
class RejectionSettings(ExampleSettings):
    """How often it is drawn and what is kept; the rest says how that is learned."""

    rounds: int = 1
    """Each draws from the policy that the last one left (Llama 2: Touvron et al. 2023, section 3.2.3)."""
    n: int = 8
    """Responses to each prompt, of which the best is kept ..."""
    at_least: float = -math.inf
    """... if its score is at least this: a verifier's right answers."""
    temperature: float = 1.0
    """What responses are drawn at."""

    at_least_one: ClassVar[tuple[str, ...]] = (*ExampleSettings.at_least_one, "rounds", "n")
    above_zero: ClassVar[tuple[str, ...]] = (*ExampleSettings.above_zero, "temperature")
