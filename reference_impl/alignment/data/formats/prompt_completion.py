"""`prompt`, `completion`: texts, or messages, as TRL reads them."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Conversation, Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration, PromptText
from reference_impl.text.dialog import Dialog, asked


def prompt_and_rest(row: RawRow, name: str) -> tuple[PromptText, str | Dialog]:
    """The prompt and what is in the column `name`: two texts, a dialog and a text, or two dialogs."""
    prompt: PromptText = row.text("prompt") if row.is_text("prompt") else row.messages("prompt")
    if row.is_text(name):
        return prompt, row.text(name)
    return asked(prompt) if isinstance(prompt, str) else prompt, row.messages(name)


def _read(row: RawRow) -> Iterator[Demonstration | Conversation]:
    prompt, completion = prompt_and_rest(row, "completion")
    if isinstance(completion, str):
        yield Demonstration(prompt, completion)
    elif isinstance(prompt, tuple):
        yield Conversation(prompt + completion, first=len(prompt))


FORMAT = Format(
    name="prompt-completion",
    kind=Demonstration,
    columns=("prompt", "completion"),
    unless=("label",),
    read=_read,
    example={"prompt": "The sky is", "completion": " blue."},
)
