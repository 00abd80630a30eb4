"""`question`, `chosen`, `rejected` with a `system` message (Intel/orca_dpo_pairs): texts of a dialog of one turn."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.certainty import CERTAINTY, certainty
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Preference
from reference_impl.text.dialog import asked


def _read(row: RawRow) -> Iterator[Preference]:
    prompt = asked(row.text("question"), row.text("system"))
    yield Preference(prompt, row.text("chosen"), row.text("rejected"), *certainty(row))


FORMAT = Format(
    name="question-preference",
    kind=Preference,
    columns=("question", "chosen", "rejected"),
    optional=("system", *CERTAINTY),
    unless=("prompt",),
    read=_read,
    example={"system": "Be brief.", "question": "What color is the sky?", "chosen": "Blue.", "rejected": "Green."},
)
