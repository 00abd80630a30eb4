"""What a reader of a task's numbers must know beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.measures.measure import Sample


def task_notes(rows: Sequence[Sample]) -> Iterator[str]:
    """A sentence each. rows: the samples of a cell."""
    if spaced := sum(sample.get("wrong_by_space") is True for sample in rows):
        yield (
            f"{spaced} of {len(rows)} documents are wrong only by white space around the answer or the target; "
            "mode right strips it"
        )
