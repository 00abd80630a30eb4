"""The formats that alignment data come in: a file each, and here all of them, the more particular first."""

from reference_impl.alignment.data.formats import (
    arena,
    better_response,
    hh_rlhf,
    implicit_prompt,
    instruction,
    judged,
    messages,
    preference,
    prompt_completion,
    prompt_only,
    question_preference,
    self_instruct,
    sharegpt,
)
from reference_impl.alignment.data.formats.format import Conversation, Format

FORMATS: tuple[Format, ...] = (
    preference.FORMAT,
    better_response.FORMAT,
    arena.FORMAT,
    question_preference.FORMAT,
    hh_rlhf.FORMAT,
    implicit_prompt.FORMAT,
    judged.FORMAT,
    messages.FORMAT,
    sharegpt.FORMAT,
    self_instruct.FORMAT,
    prompt_completion.FORMAT,
    instruction.ALPACA,
    instruction.DOLLY,
    instruction.PROMPT_RESPONSE,
    instruction.QUESTION_RESPONSE,
    instruction.QUESTION_ANSWER,
    prompt_only.FORMAT,
)
"""In the order in which a row is tried."""

__all__ = ["FORMATS", "Conversation", "Format"]
