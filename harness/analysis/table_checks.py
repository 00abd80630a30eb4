"""What every function that takes a table asks of its columns: that they are there, and hold numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def require_columns(table: pd.DataFrame, names: Iterable[str], analysis: str) -> None:
    """UserError that names the first column that is missing and those that are there."""
    for name in names:
        if name not in table.columns:
            there = ", ".join(map(str, table.columns))
            raise UserError(f"there is no column `{name}`; there are: {there}", place=analysis)


def numbers(table: pd.DataFrame, name: str, analysis: str) -> pd.Series[float]:
    """A column as numbers; UserError where it holds other things."""
    import pandas as pd

    try:
        return pd.to_numeric(table[name]).astype(float)
    except (ValueError, TypeError) as error:
        raise UserError(f"a number is wanted ({error})", place=f"{analysis}: column {name}") from None
