"""What a suite says about prompts."""

from __future__ import annotations

from dataclasses import dataclass

from harness.mode import Mode
from harness.tasks.prompts.chat import ApplyChat
from harness.tasks.prompts.labels import FROM_0, Labels


@dataclass(frozen=True)
class PromptSettings:
    """What a suite says about prompts."""

    mode: Mode = "right"
    chat: ApplyChat | None = None
    multi_turn: bool = True
    """With `chat`: whether few-shot examples are turns of their own."""
    system: str | None = None
    unconditional: bool = False
    """Whether each choice is also asked without its context."""
    likelihood: bool = False
    """Whether the right answer is also scored where an answer is written."""
    labels: Labels = FROM_0
    """What the labels of the task's data have in common (`labels.common`)."""
