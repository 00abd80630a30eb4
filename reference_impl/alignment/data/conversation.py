"""Conversations of several turns as demonstrations: each turn of the assistant is a response to all that stands before.

So a turn is learned in the very context that it has when it is written: a chat template that leaves out the thinking
of earlier turns, or closes the last turn otherwise, makes the same prompt in training as afterwards. The sum of the
losses is that of one pass with a mask over the assistant's turns, where the template only ever appends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.rows import Demonstration
from reference_impl.text.dialog import Dialog

Turns = Literal["all", "last"]
"""Which turns of the assistant are learned."""


def demonstrations(dialog: Dialog, turns: Turns, place: str, first: int = 0) -> Iterator[Demonstration]:
    """The turns of the assistant from message `first` on, each with what stands before it, or the last one alone.

    What follows the last turn of the assistant is left out. A turn that repeats its speaker is a turn of its own.
    Raises Unusable where there is none, or where one has nothing before it.
    """
    spoken = [at for at, message in enumerate(dialog) if message.role == "assistant" and at >= first]
    if not spoken:
        raise Unusable("no turn is the assistant's")
    # A greeting before any question is context of what follows, and an answer to nothing.
    answers = [at for at in spoken if any(message.role == "user" for message in dialog[:at])]
    if not answers:
        raise Unusable("nobody asks before the assistant speaks")
    for at in answers if turns == "all" else answers[-1:]:
        which = f", message {at + 1}" if len(answers) > 1 else ""
        yield Demonstration(dialog[:at], dialog[at].content, f"{place}{which}")


def split_last(dialog: Dialog) -> tuple[Dialog, str]:
    """What stands before the last message, and what that one says. Raises Unusable unless it is the assistant's."""
    if not dialog or dialog[-1].role != "assistant":
        raise Unusable("the last turn is not the assistant's")
    return dialog[:-1], dialog[-1].content
