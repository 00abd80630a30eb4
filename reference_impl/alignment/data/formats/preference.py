"""`prompt`, `chosen`, `rejected`: texts, or messages, as TRL reads them; how sure and by how much in further columns.

The prompt of messages is a list of messages or the text of the first question; the responses are one message of the
assistant, or whole dialogs that begin with the prompt (UltraFeedback), of which what they share is the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.formats.certainty import CERTAINTY, certainty
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.formats.implicit_prompt import common_dialog
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Preference
from reference_impl.text.dialog import Dialog, Message


def _read(row: RawRow) -> Iterator[Preference]:
    margin, label = certainty(row)
    if row.is_text("chosen") and row.is_text("rejected"):
        prompt: str | Dialog = row.text("prompt") if row.is_text("prompt") else row.messages("prompt")
        yield Preference(prompt, row.text("chosen"), row.text("rejected"), margin, label)
        return
    chosen, rejected = row.messages("chosen"), row.messages("rejected")
    if all(said and said[0].role != "assistant" for said in (chosen, rejected)):
        yield Preference(*common_dialog(chosen, rejected), margin, label)
        return
    before = (Message("user", row.text("prompt")),) if row.is_text("prompt") else row.messages("prompt")
    if len(chosen) > 1 or len(rejected) > 1:
        raise Unusable("a response is of several turns, and a pair has one turn each")
    contents = ["".join(message.content for message in said) for said in (chosen, rejected)]
    yield Preference(before, contents[0], contents[1], margin, label)


FORMAT = Format(
    name="preference",
    kind=Preference,
    columns=("prompt", "chosen", "rejected"),
    optional=CERTAINTY,
    read=_read,
    example={"prompt": "The sky is", "chosen": " blue.", "rejected": " green.", "margin": 2.0},
)
