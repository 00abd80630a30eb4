"""How sure a pair is and by how much: `margin`, `score_chosen`, `score_rejected`, `label`, `tie`."""

from __future__ import annotations

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.raw_row import RawRow

CERTAINTY = ("margin", "score_chosen", "score_rejected", "label", "tie")
"""Columns on how sure and by how much."""


def certainty(row: RawRow) -> tuple[float | None, float]:
    """(margin, label) of a pair. Scores give the margin where there is no column of that name; equal scores and
    `tie` give a label of 0.5, else `label` is the probability that the chosen one is the better. Raises TextError,
    and Unusable where the scores contradict the columns.
    """
    margin, label, tie = row.number("margin"), row.number("label"), row.flag("tie")
    chosen, rejected = row.number("score_chosen"), row.number("score_rejected")
    if chosen is not None and rejected is not None:
        if chosen < rejected:
            raise Unusable("the rejected response has the higher score")
        margin = chosen - rejected if margin is None else margin
        tie = chosen == rejected if tie is None else tie
    if label is not None and not 0 <= label <= 1:
        raise row.wrong(f"the column 'label' holds {label}; it is the probability that the chosen response is better")
    if label is None:
        label = 0.5 if tie else 1.0
    return margin, label
