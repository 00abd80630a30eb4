"""`chosen`, `rejected` without a prompt: what both begin with is the prompt.

Of dialogs that is whole messages. Of texts it is cut back to the end of a word, so that the prompt of "it is blue" and
"it is black" is "it is" (TRL takes the longest common text, "it is bl", and gives a response half a word).
"""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.conversation import split_last
from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.formats.certainty import CERTAINTY, certainty
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Preference
from reference_impl.text.dialog import Dialog

PROMPTS = ("prompt", "question", "query", "instruction", "input", "context", "history")
"""Columns that hold a prompt: the responses beside them have none."""


def common_dialog(chosen: Dialog, rejected: Dialog) -> tuple[Dialog, str, str]:
    """(prompt, chosen, rejected) of two dialogs that differ in their last turn, which is the assistant's.

    Raises Unusable where they differ earlier.
    """
    before, better = split_last(chosen)
    other, worse = split_last(rejected)
    if before != other:
        raise Unusable("chosen and rejected differ before their last turn")
    return before, better, worse


def common_text(chosen: str, rejected: str) -> tuple[str, str, str]:
    """(prompt, chosen, rejected) of two texts. White space between prompt and response goes to the response.

    Raises Unusable for texts that begin differently.
    """
    if chosen == rejected:
        raise Unusable("chosen and rejected are the same")
    ends = (at for at, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other)
    end = next(ends, min(len(chosen), len(rejected)))
    while end and not all(_ends_word(text, end) for text in (chosen, rejected)):
        end -= 1
    prompt = chosen[:end].rstrip()
    if not prompt:
        raise Unusable("chosen and rejected don't begin alike, so there is no prompt")
    return prompt, chosen[len(prompt) :], rejected[len(prompt) :]


def _ends_word(text: str, end: int) -> bool:
    """Whether no word goes on across `end`."""
    return end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())


def _read(row: RawRow) -> Iterator[Preference]:
    margin, label = certainty(row)
    if row.is_text("chosen") and row.is_text("rejected"):
        yield Preference(*common_text(row.text("chosen"), row.text("rejected")), margin, label)
    else:
        yield Preference(*common_dialog(row.messages("chosen"), row.messages("rejected")), margin, label)


FORMAT = Format(
    name="implicit-prompt",
    kind=Preference,
    columns=("chosen", "rejected"),
    optional=CERTAINTY,
    unless=PROMPTS,
    read=_read,
    example={
        "chosen": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": "Blue."}],
        "rejected": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": "Green."}],
    },
)
