"""Right answers over scale: a table of counts, checked, seeds added up, and put into one curve per task."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.analysis.table_checks import numbers, require_columns
from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SCALES = 3
"""Fewer are no curve."""


class Counts(NamedTuple):
    """The counts of one task, from the weakest scale to the strongest."""

    task: str
    scale: Floats
    correct: Floats
    n: Floats
    n_effective: Floats
    """Whole numbers, at most n."""
    chance: float


def counts_over_scale(frame: pd.DataFrame, *, falling: bool) -> list[Counts]:
    """The curves of a table, in its order of tasks.

    frame: `task`, `scale`, `correct`, `n`; optionally `chance` (0 where it lacks) and `n_effective` (n where it lacks).
    falling: whether smaller scales are stronger. UserError names the column or the row that can't be used.
    """
    import numpy as np

    require_columns(frame, ("task", "scale", "correct", "n"), "emergence")
    rows = frame.reset_index(drop=True)
    for name in ("scale", "correct", "n", *(name for name in ("chance", "n_effective") if name in rows)):
        rows[name] = numbers(rows, name, "emergence")
    told = rows["chance"].fillna(0.0) if "chance" in rows else rows["n"] * 0.0
    worth = rows["n_effective"].fillna(rows["n"]) if "n_effective" in rows else rows["n"]
    rows = rows.assign(chance=told, n_effective=worth)
    for name, fine, what in (
        ("task", rows["task"].notna(), "a name"),
        ("scale", (rows["scale"] > 0) & np.isfinite(rows["scale"]), "a positive number"),
        ("n", (rows["n"] >= 1) & np.isfinite(rows["n"]), "a number of items, one at least,"),
        ("correct", (rows["correct"] >= 0) & (rows["correct"] <= rows["n"]), "a count from 0 to n"),
        ("chance", (rows["chance"] >= 0) & (rows["chance"] < 1), "a probability below 1"),
        ("n_effective", rows["n_effective"] > 0, "a positive number"),
    ):
        if not fine.all():
            bad = int(np.flatnonzero(~fine.to_numpy())[0])
            raise UserError(f"{name} {rows[name][bad]} is no use: {what} is wanted", place=f"row {bad + 1}, {name}")
    if len(rows) and 0 < rows["correct"].max() <= 1 and (rows["correct"] % 1 > 0).any() and rows["n"].min() > 1:
        raise UserError(
            f"the largest is {rows['correct'].max():g}: these look like shares, give counts (share times n)",
            place="emergence: column correct",
        )
    return [_curve(str(task), mine, falling) for task, mine in rows.groupby("task", sort=False)]


def _curve(task: str, rows: pd.DataFrame, falling: bool) -> Counts:
    """Of one task's checked rows."""
    import numpy as np

    if rows["scale"].nunique() < LEAST_SCALES:
        raise UserError(
            f"{rows['scale'].nunique()} scales are no curve: {LEAST_SCALES} are needed at least", place=f"task {task}"
        )
    if rows["chance"].nunique() > 1:
        raise UserError("chance differs from scale to scale; one level per task is wanted", place=f"task {task}")
    by = rows.groupby("scale")[["correct", "n", "n_effective"]].sum().sort_index(ascending=not falling)
    correct, n, worth = (by[name].to_numpy(dtype=float) for name in ("correct", "n", "n_effective"))
    effective = np.maximum(1.0, np.rint(np.minimum(n, worth)))
    return Counts(task, by.index.to_numpy(dtype=float), correct, n, effective, float(rows["chance"].iloc[0]))
