"""What the tokenizer loses of the texts that a task scores: see `harness.scoring.round_trip`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.measures.measure import Sample
from harness.results.record import Missing, Status
from harness.tasks.ask import Asked, Choice, Rolling

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.contract import Tokenizer
    from harness.scoring.round_trip import RoundTrip
    from harness.tasks.aggregation.estimate import Estimate

PER_BYTE = ("bits_per_byte", "byte_perplexity", "word_perplexity", "gold_bits_per_byte")
"""Metrics that divide by bytes or words of the text, which a tokenizer that loses some makes too good."""
SCORED, LOST, ADDED, EXAMPLE = "scored_bytes", "lost_bytes", "added_bytes", "lost_example"
"""Columns of samples."""


class LostText:
    """Of one tokenizer; the same choice is looked at once."""

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        """tokenizer: None of a model without tokens, which loses nothing that could be told."""
        self._tokenizer = tokenizer
        self._known: dict[str, RoundTrip] = {}

    def columns(self, asked: Asked) -> Sample:
        """Of a document: bytes of the texts whose likelihood was taken, and how many of them don't come back."""
        texts = [each.text if isinstance(each, Rolling) else each.continuation for each in _scored(asked)]
        if not texts or self._tokenizer is None:
            return {}
        trips = [self._of(text) for text in texts]
        example = next((trip.example for trip in trips if not trip.is_whole), None)
        sizes = {SCORED: "bytes", LOST: "lost", ADDED: "added"}
        return {name: sum(getattr(trip, part) for trip in trips) for name, part in sizes.items()} | {EXAMPLE: example}

    def _of(self, text: str) -> RoundTrip:
        from harness.scoring.round_trip import round_trip

        if text not in self._known:
            assert self._tokenizer is not None
            self._known[text] = round_trip(self._tokenizer, text, self._tokenizer.encode(text))
        return self._known[text]


def lost_text_notes(rows: Sequence[Sample]) -> Iterator[str]:
    """A sentence for each task whose texts don't come back whole."""
    from harness.scoring.round_trip import RoundTrip, lossy_note

    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task and row.get(SCORED) is not None]
        trips = (RoundTrip(row[SCORED], row[LOST], row[ADDED], row[EXAMPLE] or "") for row in mine)
        note = lossy_note(zip((row["document"] for row in mine), trips, strict=True), f"the scored text of {task}")
        if note is not None:
            yield note


def parted(
    frame: pd.DataFrame, estimates: Sequence[Estimate], spec: Mapping[str, Any], part: str | None
) -> tuple[list[Estimate], list[Missing]]:
    """The estimates of a task that stand, and those that are withheld because the tokenizer loses too much."""
    from harness.scoring.round_trip import why_nonsense
    from harness.tasks.judging.specification import name_of

    if spec["mode"] != "right" or LOST not in frame:
        return list(estimates), []
    judged = frame[frame["broken"].isna()]
    why = why_nonsense(float(judged[LOST].sum()), float(judged[SCORED].sum()))
    withheld = [one for one in estimates if why is not None and name_of(one.key, spec)[0] in PER_BYTE]
    if not withheld:
        return list(estimates), []
    told = f"no {', '.join(one.key for one in withheld)}: {why}"
    return [one for one in estimates if one not in withheld], [Missing(reason=told, part=part, status=Status.SKIPPED)]


def _scored(asked: Asked) -> list[Choice | Rolling]:
    """The texts of a document whose likelihood is taken."""
    found = [each for each in asked.requests if isinstance(each, Choice | Rolling)]
    return found if asked.right is None else [*found, asked.right]
