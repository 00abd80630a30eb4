"""`messages`: a conversation, each message with `role` and `content`, as TRL reads it."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Conversation, Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration


def _read(row: RawRow) -> Iterator[Conversation]:
    yield Conversation(row.messages("messages"))


FORMAT = Format(
    name="messages",
    kind=Demonstration,
    columns=("messages",),
    read=_read,
    example={
        "messages": [
            {"role": "user", "content": "What color is the sky?"},
            {"role": "assistant", "content": "It is blue."},
        ]
    },
)
