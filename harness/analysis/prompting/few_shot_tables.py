"""Published tables of scores over few-shot examples: a slope for every model, and how it changes with size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.prompting.counts_table import Unit, shares
from harness.analysis.prompting.shot_curve import LEAST_SIZES, doublings
from harness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def few_shot_slopes(frame: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """The slope of every model, in percentage points per doubling of shots + 1, unpaired.

    frame: columns `parameters`, `shots`, `right`, `n` (documents), and optionally `task` and `model`. unit: what
    `right` counts: `correct` documents, `percent` or `share`. Returns `task`, `model`, `parameters`, `slope`, `low`,
    `high`, the interval by the binomials of each number of shots, independent. Raises UserError as
    `counts_table.shares` does, for a model with fewer than two numbers of shots, and for one of unknown size.
    """
    import numpy as np
    import pandas as pd

    from harness.statistics.line_slope import slope_weights

    table = shares(frame, ("right",), unit, analysis="few_shot_slope", keys=("task", "model"), by="shots")
    wrong = ~(np.isfinite(table["shots"]) & (table["shots"] >= 0) & (table["shots"] == table["shots"].round()))
    if wrong.any():
        raise UserError(
            f"{table['shots'][wrong].iloc[0]} is no number of examples", place="few_shot_slope: column shots"
        )
    if table["parameters"].isna().any():
        raise UserError("a model's size is not known: leave it out", place="few_shot_slope: column parameters")
    found = []
    for (task, model, size), rows in table.groupby(["task", "model", "parameters"], sort=False):
        if len(rows) < 2:
            raise UserError(f"{model} on {task} has one number of shots: a slope needs two", place="few_shot_slope")
        weights = slope_weights(doublings(rows["shots"]))
        # two right and two wrong answers more, so that 0 and 1 have an error (Agresti & Coull 1998)
        share = (rows["right_share"] * rows["n"] + 2) / (rows["n"] + 4)
        half = 1.959964 * float(np.sqrt((weights**2 * share * (1 - share) / rows["n"]).sum()))
        slope = float(weights @ rows["right_share"])
        told = {"task": task, "model": model, "parameters": size, "slope": 100 * slope}
        found.append(told | {"low": 100 * (slope - half), "high": 100 * (slope + half)})
    return pd.DataFrame(found)


@dataclass(frozen=True)
class SlopeOverSize:
    """How a slope changes with size."""

    value: float
    """Per tenfold of the parameters, in the slope's unit."""
    low: float
    high: float
    low_by_scatter: float
    """Student's t on the scatter of the sizes around the line: holds seeds and misfit as far as they show."""
    high_by_scatter: float
    sizes: int


def slope_over_size(slopes: pd.DataFrame) -> SlopeOverSize:
    """The line through slopes over log10 of the parameters, of one task's rows of `few_shot_slopes`.

    The interval carries the slopes' own intervals through the line, as independent. Raises UserError for fewer than
    three sizes, and for rows of several tasks.
    """
    import numpy as np

    from harness.statistics.line_slope import slope_by_scatter, slope_weights

    if slopes["task"].nunique() > 1:
        raise UserError("these are slopes of several tasks: take those of one", place="few_shot_slope: slope_over_size")
    if slopes["parameters"].nunique() < LEAST_SIZES:
        raise UserError(f"at least {LEAST_SIZES} sizes are needed", place="few_shot_slope: slope_over_size")
    log = np.log10(slopes["parameters"].to_numpy(dtype=float))
    values = slopes["slope"].to_numpy(dtype=float)
    weights = slope_weights(log)
    halves = (slopes["high"] - slopes["low"]).to_numpy(dtype=float) / 2
    value, half = float(weights @ values), float(np.sqrt((weights**2 * halves**2).sum()))
    low, high = slope_by_scatter(log, values)
    return SlopeOverSize(value, value - half, value + half, low, high, len(log))
