"""Published tables of right answers at once and with chain of thought: gains, crossovers over size, means of tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.prompting.counts_table import Unit, shares
from harness.errors import UserError
from harness.statistics.sign_change import SignChange, sign_change

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 4000


def gains(frame: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """The gain of chain of thought of every row, in percentage points, unpaired: of published tables.

    frame: columns `task`, `parameters` (may be missing: no place on an axis), `direct` or `standard`, `cot`, `n`
    (documents), and optionally `family`. unit: what they count: `correct` documents, `percent` or `share`.
    Returns the rows in order of task, family and size with `direct`, `cot`, `gain`, `low` and `high` in percent; the
    interval is Newcombe's of independent shares, too wide where the same documents were asked. Raises UserError for
    columns that are missing, rows that come twice, and numbers that can't be what the unit says.
    """
    import pandas as pd

    from harness.statistics.proportions import independent_difference

    table = frame.rename(columns={"standard": "direct"})
    table = shares(table, ("direct", "cot"), unit, analysis="chain_of_thought_gain", keys=("task", "family"))
    rows = []
    for row in table.to_dict("records"):
        change = independent_difference(row["direct_share"], row["n"], row["cot_share"], row["n"])
        direct, cot = row["direct_percent"], row["cot_percent"]
        ends = {"low": 100 * (change.low or 0.0), "high": 100 * (change.high or 0.0)}
        told = {key: row[key] for key in ("task", "family", "parameters", "n")}
        rows.append(told | {"direct": direct, "cot": cot, "gain": round(cot - direct, 10)} | ends)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Crossover:
    """Where the gain turns positive, of one family on one task."""

    task: str
    family: str
    change: SignChange


def crossovers(table: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> list[Crossover]:
    """Of each task and family of `gains`, the parameters from which on chain of thought pays.

    The interval is a percentile bootstrap: both counts are drawn again from their binomials, `replicates` times.
    """
    import numpy as np

    found = []
    for (task, family), rows in table.dropna(subset=["parameters"]).groupby(["task", "family"], sort=False):
        rows = rows.sort_values("parameters")
        generator = np.random.default_rng(seed)
        n = rows["n"].to_numpy(dtype=np.int64)
        drawn = [
            generator.binomial(n, rows[way].to_numpy(dtype=float) / 100, size=(replicates, len(n))) / n
            for way in ("direct", "cot")
        ]
        change = sign_change(rows["parameters"], rows["gain"], rows["low"], rows["high"], drawn[1] - drawn[0])
        found.append(Crossover(str(task), str(family), change))
    return found


@dataclass(frozen=True)
class Average:
    """Means over tasks in percent, with the interval of the gain."""

    direct: float
    cot: float
    gain: float
    low: float
    high: float
    tasks: int


def average(table: pd.DataFrame, groups: dict[str, str] | None = None) -> Average:
    """The mean over tasks of one model's rows of `gains`.

    groups: task -> what it is a part of; parts are averaged before the mean is taken over the rest. The interval takes
    the tasks as fixed and their documents as drawn, independently in both ways: normal, and too wide for documents
    that both ways share. Raises UserError where a task has several rows.
    """
    from statistics import NormalDist

    if table["task"].duplicated().any():
        twice = table["task"][table["task"].duplicated()].iloc[0]
        raise UserError(f"`{twice}` has several rows: take those of one model", place="chain_of_thought_gain: average")
    whole = table["task"].map(lambda task: (groups or {}).get(task, task))
    weight = 1 / (whole.map(whole.value_counts()) * whole.nunique())
    variance = sum(row / 100 * (1 - row / 100) / table["n"] for row in (table["direct"], table["cot"]))
    error = 100 * math.sqrt(float((weight**2 * variance).sum()))
    direct, cot = (float((weight * table[way]).sum()) for way in ("direct", "cot"))
    half = NormalDist().inv_cdf(0.975) * error
    return Average(direct, cot, cot - direct, cot - direct - half, cot - direct + half, int(whole.nunique()))
