"""Tables of published accuracies: counts, percentages or shares of n documents, checked and put into one unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from harness.analysis.table_checks import numbers, require_columns
from harness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["correct", "percent", "share"]
"""What a column counts: documents that are right, percent of the documents, or a share of them."""

_MOST = {"percent": 100.0, "share": 1.0}
LEAST_PARAMETERS = 10_000
"""A largest model below this is taken as given in millions or billions."""


def shares(
    table: pd.DataFrame, columns: Sequence[str], unit: Unit, *, analysis: str, keys: Sequence[str], by: str = ""
) -> pd.DataFrame:
    """The table sorted by keys and size, with `COLUMN_share` and `COLUMN_percent` for each of `columns`.

    table: `parameters`, `n` and `columns`; of `keys`, those that are missing become "all". A row is told by its keys,
    its parameters and, where named, the column `by`. Raises UserError, with the analysis, the column and the row, for
    what is missing, comes twice or can't be what the unit says.
    """
    import numpy as np

    if unit not in ("correct", *_MOST):
        raise UserError(f"the unit may be correct, percent or share, not {unit}", place=f"{analysis}: unit")
    numeric = (*columns, "parameters", "n", *([by] if by else []))
    require_columns(table, numeric, analysis)
    if table.empty:
        raise UserError("the table has no rows", place=analysis)
    table = table.copy()
    for key in keys:
        if key not in table.columns:
            table[key] = "all"
    table["parameters"] = [None if size in ("-", "–", "") else size for size in table["parameters"]]
    for name in numeric:
        table[name] = numbers(table, name, analysis)
    _sizes(table["parameters"], analysis)
    n = table["n"].to_numpy(dtype=float)
    _refuse(~(np.isfinite(n) & (n > 0) & (n == np.round(n))), "n", "is no number of documents", table, analysis)
    for name in columns:
        values = table[name].to_numpy(dtype=float)
        most = n if unit == "correct" else np.full(len(n), _MOST[unit])
        wrong = ~(np.isfinite(values) & (values >= 0) & (values <= most))
        _refuse(wrong, name, f"can't be {unit} of n documents", table, analysis)
        if unit == "correct":
            _refuse(values != np.round(values), name, "is no count: say unit percent or share", table, analysis)
        if unit == "percent" and len(values) > 1 and 0 < values.max() <= 1 and (n >= 100).all():
            raise UserError(
                f"the largest is {values.max():g}: these look like shares, say unit share",
                place=f"{analysis}: column {name}",
            )
        percent = 100 * values / n if unit == "correct" else values if unit == "percent" else 100 * values
        table[f"{name}_percent"] = percent
        table[f"{name}_share"] = percent / 100
    told = [*keys, "parameters", *([by] if by else [])]
    twice = table[table["parameters"].notna() & table.duplicated(told)]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(
            "these come twice: " + ", ".join(f"{key} {row[key]}" for key in told) + "; leave one out",
            place=f"{analysis}: row {twice.index[0]}",
        )
    return table.sort_values(told, kind="stable").reset_index(drop=True)


def _sizes(parameters: pd.Series[float], analysis: str) -> None:
    import numpy as np

    known = parameters.dropna().to_numpy(dtype=float)
    place = f"{analysis}: column parameters"
    if np.any(~np.isfinite(known)) or np.any(known <= 0):
        raise UserError(
            "a model has a positive number of parameters; leave it empty where it is not known", place=place
        )
    if len(known) and known.max() < LEAST_PARAMETERS:
        raise UserError(
            f"the largest has {known.max():g} parameters: these look like millions or billions, give plain numbers",
            place=place,
        )


def _refuse(wrong: object, name: str, why: str, table: pd.DataFrame, analysis: str) -> None:
    import numpy as np

    rows = np.flatnonzero(np.asarray(wrong))
    if len(rows):
        at = table.index[rows[0]]
        raise UserError(f"{table[name].iloc[rows[0]]} {why}", place=f"{analysis}: column {name}, row {at}")
