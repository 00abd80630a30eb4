"""What a stage learns from, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Turns = Literal["all", "last"]
LongPrompts = Literal["leave_out", "keep_end"]
LongResponses = Literal["leave_out", "cut"]
MICROWORLD, SUMS, ASSISTANT = "microworld", "microworld/sums", "assistant"
"""Data that need no file: instructions with good and bad answers, sums, and dialogs that show every fault."""
MADE = (MICROWORLD, SUMS, ASSISTANT)
RESPONSE = 64
"""Most tokens of a response that is drawn, where nothing else is said."""


@dataclass(frozen=True)
class DataSettings:
    """Which data, and what becomes of what is too long."""

    data: str = MICROWORLD
    """A file, a folder, `hub:OWNER/NAME`, or what needs no file: `microworld` (instructions with good and bad answers),
    `microworld/sums` and `assistant` (dialogs that show every fault)."""
    format: str | None = None
    """The format of the file; left out, it is recognized from its columns."""
    split: str | None = None
    """Of a folder or a file with several: `train`."""
    turns: Turns = "all"
    """Which turns of the assistant in conversations are learned."""
    prompt: int | None = None
    """Most tokens of a prompt; left out, what the context holds."""
    response: int | None = None
    """Most tokens of a response, its end included; left out, what the context holds."""
    long_prompts: LongPrompts = "leave_out"
    """keep_end: the first tokens of a prompt that is too long are dropped."""
    long_responses: LongResponses = "leave_out"
    """cut: a response that is too long ends without its EOS token."""
    held_out: float = 0.05
    """Part of the prompts that is not learned from, and that the stage is judged by."""
    most: int | None = None
    """At most so many rows, the first ones."""

    def __post_init__(self) -> None:
        """Refuse what leaves nothing."""
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must be at least 0 and below 1, not {self.held_out}.")
        for name in ("prompt", "response", "most"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
