"""Two conversations and a winner (lmsys/chatbot_arena_conversations): `winner` is model_a, model_b or a tie."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.formats.implicit_prompt import common_dialog
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Preference

_LABELS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5}


def _read(row: RawRow) -> Iterator[Preference]:
    winner = row.text("winner").strip().lower()
    if winner not in _LABELS:
        raise row.wrong(f"the column 'winner' holds {winner[:40]!r}; it must hold one of {', '.join(_LABELS)}")
    sides = [row.messages("conversation_a"), row.messages("conversation_b")]
    if _LABELS[winner] == 0:
        sides.reverse()
    yield Preference(*common_dialog(*sides), label=max(_LABELS[winner], 1 - _LABELS[winner]))


FORMAT = Format(
    name="arena",
    kind=Preference,
    columns=("conversation_a", "conversation_b", "winner"),
    read=_read,
    example={
        "conversation_a": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": "Blue."}],
        "conversation_b": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": "Light blue."}],
        "winner": "tie",
    },
)
