"""What measures of responses are told alike: which prompts, and how they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.limits import LARGEST, LARGEST_SEED, MOST_DOCUMENTS, MOST_TOKENS
from harness.measures.cost import ROWS, Pace
from harness.measures.evenly_spaced import evenly_spaced
from harness.measures.measure import Settings

if TYPE_CHECKING:
    from harness.corpora.alignment_rows import Prompt

TOKENS_PER_PROMPT = 60.0
"""About as many as a prompt has, for estimates."""


class ResponseSettings(Settings):
    """Settings of measures of responses."""

    prompts: str = Field(min_length=1)
    """What is answered: `microworld/test`, a file or folder of prompts (of pairs or demonstrations their prompts, each
    once), `data:NAME` or `hub:OWNER/NAME`; `#SPLIT` behind it names one of several splits."""
    count: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """How many prompts, evenly spaced; left out, all."""
    max_new: int = Field(default=64, ge=1, le=MOST_TOKENS)
    """Most tokens of a response."""
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False, le=LARGEST)
    """Logits are divided by it; 0 is greedy."""
    samples: int = Field(default=1, ge=1, le=10_000)
    """Responses to each prompt, each drawn for itself."""
    sampling_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the draws, together with the number of the prompt and of the sample."""

    @property
    def text(self) -> str:
        """How the prompts are named as a text."""
        return f"prompts:{self.prompts}"


def prompts_of(settings: ResponseSettings) -> tuple[list[Prompt], list[str]]:
    """The prompts, and what was left out, a sentence each. Raises UserError."""
    from harness.corpora.alignment_rows import prompts

    rows, excluded = prompts(settings.prompts)
    return evenly_spaced(rows, settings.count), [str(one) for one in excluded]


def seconds_to_answer(settings: ResponseSettings, pace: Pace, models: int = 1) -> float:
    """About how long it takes that `models` models answer."""
    answers = settings.samples * (settings.count or 500)
    steps = answers / ROWS * settings.max_new * pace.step(ROWS)
    return pace.start + models * (pace.compute(answers * TOKENS_PER_PROMPT) + steps)
