"""Two numbered responses and which is better (PKU-Alignment/PKU-SafeRLHF): `better_response_id` is 0 or 1."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Preference
from reference_impl.text.dialog import asked


def _read(row: RawRow) -> Iterator[Preference]:
    better = row.number("better_response_id")
    if better not in (0, 1):
        raise row.wrong(f"the column 'better_response_id' holds {better}; it must hold 0 or 1")
    responses = [row.text("response_0"), row.text("response_1")]
    yield Preference(asked(row.text("prompt")), responses[int(better)], responses[1 - int(better)])


FORMAT = Format(
    name="better-response",
    kind=Preference,
    columns=("prompt", "response_0", "response_1", "better_response_id"),
    read=_read,
    example={"prompt": "Sky?", "response_0": "Green.", "response_1": "Blue.", "better_response_id": 1},
)
