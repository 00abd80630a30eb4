"""hh-rlhf (Bai et al. 2022, https://github.com/anthropics/hh-rlhf): two dialogs as texts, cut at the last answer.

Turns begin with `Human:` or `Assistant:` after a blank line. White space around what is said belongs to the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.formats.certainty import CERTAINTY, certainty
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.formats.implicit_prompt import common_dialog
from reference_impl.alignment.data.raw_row import ROLE_NAMES, RawRow
from reference_impl.alignment.data.rows import Preference
from reference_impl.text.dialog import Dialog, Message

_TURN = re.compile(r"(?:\A|\n\n)\s*(Human|Assistant):")


def dialog_of(text: str) -> Dialog:
    """The turns of a text. Raises Unusable where something stands before the first."""
    starts = list(_TURN.finditer(text))
    if not starts or text[: starts[0].start()].strip():
        raise Unusable("the dialog begins with no speaker")
    ends = [following.start() for following in starts[1:]] + [len(text)]
    return tuple(
        Message(ROLE_NAMES[start[1].lower()], text[start.end() : end].strip())
        for start, end in zip(starts, ends, strict=True)
    )


def _read(row: RawRow) -> Iterator[Preference]:
    chosen, rejected = (dialog_of(row.text(name)) for name in ("chosen", "rejected"))
    yield Preference(*common_dialog(chosen, rejected), *certainty(row))


def _is_dialog(row: RawRow) -> bool:
    values = [row.columns["chosen"], row.columns["rejected"]]
    return all(isinstance(value, str) and _TURN.search(value) for value in values) and any(
        "Assistant:" in value for value in values
    )


FORMAT = Format(
    name="hh-rlhf",
    kind=Preference,
    columns=("chosen", "rejected"),
    optional=CERTAINTY,
    unless=("prompt",),
    fits=_is_dialog,
    read=_read,
    example={
        "chosen": "\n\nHuman: What color is the sky?\n\nAssistant: It is blue.",
        "rejected": "\n\nHuman: What color is the sky?\n\nAssistant: It is green.",
    },
)
