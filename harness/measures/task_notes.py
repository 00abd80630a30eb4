"""What a reader of a task's numbers must know beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.measures.measure import Sample

if TYPE_CHECKING:
    from harness.tasks.library import Opened


def task_notes(opened: Opened, rows: Sequence[Sample]) -> Iterator[str]:
    """A sentence each. rows: the samples of a cell."""
    yield from opened.notes
    if spaced := sum(sample.get("wrong_by_space") is True for sample in rows):
        yield (
            f"{spaced} of {len(rows)} documents are wrong only by white space around the answer or the target; "
            "mode right strips it"
        )
