"""`prompt`, `completion`, `label`: one response that is wanted or not, as TRL reads it for KTO."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.formats.prompt_completion import prompt_and_rest
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Judged


def _read(row: RawRow) -> Iterator[Judged]:
    wanted = row.flag("label")
    if wanted is None:
        raise Unusable("there is no label")
    prompt, completion = prompt_and_rest(row, "completion")
    if isinstance(completion, str):
        yield Judged(prompt, completion, wanted)
    elif len(completion) == 1 and completion[0].role == "assistant":
        yield Judged(prompt, completion[0].content, wanted)
    else:
        raise Unusable("the response is not one turn of the assistant")


FORMAT = Format(
    name="judged",
    kind=Judged,
    columns=("prompt", "completion", "label"),
    read=_read,
    example={"prompt": "The sky is", "completion": " blue.", "label": True},
)
