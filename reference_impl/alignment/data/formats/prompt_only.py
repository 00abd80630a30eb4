"""`prompt` alone, a text or messages, with the `answer` that a response is to arrive at where there is one."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Prompt


def _read(row: RawRow) -> Iterator[Prompt]:
    prompt = row.text("prompt") if row.is_text("prompt") else row.messages("prompt")
    yield Prompt(prompt, row.text("answer") if row.has("answer") else None)


FORMAT = Format(
    name="prompt-only",
    kind=Prompt,
    columns=("prompt",),
    optional=("answer",),
    read=_read,
    example={"prompt": "The sky is"},
)
