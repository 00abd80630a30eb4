"""The launches of a comparison as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gate.lockstep.lockstep import Measured

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = [
    *("launch", "kind", "difference", "wall", "cpu", "turns", "repeats", "order"),
    *("others_share", "outputs", "seconds"),
]


def table(measured: Measured) -> pd.DataFrame:
    """One row for each launch, in the order in which they were measured.

    `kind` is `first`, `fresh` (measured a finding once more) or `identical` (a against itself); `difference` is the
    logarithm of b's time over a's by the clock that is judged, `wall` and `cpu` by each clock.
    """
    import pandas as pd

    kinds = {"first": measured.first, "fresh": measured.fresh, "identical": measured.beside}
    rows = [
        {
            "launch": one.launch.number,
            "kind": kind,
            "difference": one.difference,
            "wall": one.launch.difference("wall"),
            "cpu": one.launch.difference("cpu"),
            "turns": len(one.launch.turns),
            "repeats": one.launch.pace.repeats,
            "order": one.launch.draw.order,
            "others_share": one.others,
            "outputs": one.launch.outputs.sameness.value,
            "seconds": one.seconds,
        }
        for kind, observations in kinds.items()
        for one in observations
    ]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("launch", ignore_index=True)
