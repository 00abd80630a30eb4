"""ShareGPT: `conversations` of messages with `from` (human, gpt, system) and `value`, perhaps a `system` text."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Conversation, Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration
from reference_impl.text.dialog import Message


def _read(row: RawRow) -> Iterator[Conversation]:
    before = (Message("system", row.text("system")),) if row.has("system") else ()
    yield Conversation(before + row.messages("conversations"))


FORMAT = Format(
    name="sharegpt",
    kind=Demonstration,
    columns=("conversations",),
    optional=("system",),
    read=_read,
    example={
        "conversations": [
            {"from": "human", "value": "What color is the sky?"},
            {"from": "gpt", "value": "It is blue."},
        ]
    },
)
