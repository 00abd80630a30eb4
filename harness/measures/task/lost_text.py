"""What the tokenizer loses of the texts that a task scores: see `harness.scoring.round_trip`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.measures.task.samples.columns import LOST_BYTES, SCORED_BYTES
from harness.measures.task.samples.document import Document
from harness.measures.task.samples.frames import judged
from harness.results.record import Missing, Status
from harness.scoring.round_trip import RoundTrip, lossy_note, round_trip, why_nonsense
from harness.tasks.ask import Asked, Choice, Rolling

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.contract import Tokenizer
    from harness.tasks.aggregation.estimate import Estimate

PER_BYTE = ("bits_per_byte", "byte_perplexity", "word_perplexity", "gold_bits_per_byte")
"""Metrics that divide by bytes or words of the text, which a tokenizer that loses some makes too good."""


class LostText:
    """Of one tokenizer; the same choice is looked at once."""

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        """tokenizer: None of a model without tokens, which loses nothing that could be told."""
        self._tokenizer = tokenizer
        self._known: dict[str, RoundTrip] = {}

    def of(self, asked: Asked) -> RoundTrip | None:
        """Of a document: bytes of the texts whose likelihood was taken, and how many of them don't come back."""
        texts = [each.text if isinstance(each, Rolling) else each.continuation for each in _scored(asked)]
        if not texts or self._tokenizer is None:
            return None
        trips = [self._of(text) for text in texts]
        return RoundTrip(
            bytes=sum(trip.bytes for trip in trips),
            lost=sum(trip.lost for trip in trips),
            added=sum(trip.added for trip in trips),
            example=next((trip.example for trip in trips if not trip.is_whole), ""),
        )

    def _of(self, text: str) -> RoundTrip:
        if text not in self._known:
            assert self._tokenizer is not None
            self._known[text] = round_trip(self._tokenizer, text, self._tokenizer.encode(text))
        return self._known[text]


def lost_text_notes(documents: Sequence[Document]) -> Iterator[str]:
    """A sentence for each task whose texts don't come back whole."""
    for task in dict.fromkeys(document.task for document in documents):
        mine = ((one.number, one.lost) for one in documents if one.task == task and one.lost is not None)
        note = lossy_note(mine, f"the scored text of {task}")
        if note is not None:
            yield note


def parted(
    frame: pd.DataFrame, estimates: Sequence[Estimate], spec: Mapping[str, Any], part: str | None
) -> tuple[list[Estimate], list[Missing]]:
    """The estimates of a task that stand, and those that are withheld because the tokenizer loses too much."""
    from harness.tasks.judging.specification import name_of

    if spec["mode"] != "right" or not LOST_BYTES.is_in(frame):
        return list(estimates), []
    rows = judged(frame)
    lost, scored = (sum(size or 0 for size in column.all(rows)) for column in (LOST_BYTES, SCORED_BYTES))
    why = why_nonsense(float(lost), float(scored))
    withheld = [one for one in estimates if why is not None and name_of(one.key, spec)[0] in PER_BYTE]
    if not withheld:
        return list(estimates), []
    told = f"no {', '.join(one.key for one in withheld)}: {why}"
    return [one for one in estimates if one not in withheld], [Missing(reason=told, part=part, status=Status.SKIPPED)]


def _scored(asked: Asked) -> list[Choice | Rolling]:
    """The texts of a document whose likelihood is taken."""
    found = [each for each in asked.requests if isinstance(each, Choice | Rolling)]
    return found if asked.right is None else [*found, asked.right]
