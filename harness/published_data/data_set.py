"""What a published data set is: its tables, what each column means, and which rows the published fit used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError
from harness.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["run", "parameters", "tokens", "compute", "unique_tokens", "loss"]
"""What a column is in a scaling law: the run's name, parameters N, training tokens D (repeated ones each time),
training FLOPs C, unique tokens among the training tokens, and loss in nats per token."""

Counted = Literal["all", "non_embedding", "unstated"]
"""Which parameters N counts: all of them, or those that are not embeddings."""


@dataclass(frozen=True)
class Column:
    """One column of a table, or several of one meaning (`err_*`)."""

    name: str
    unit: str
    """Empty for names."""
    meaning: str
    role: Role | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of the main table that a published fit used."""

    name: str
    about: str
    """Which rows they are, in words, and where that is published."""
    keep: Callable[[pd.DataFrame], pd.Series[bool]]
    """Given the main table: whether each row is one of them."""


@dataclass(frozen=True)
class Mend:
    """An error of the published table that is put right when the table is read."""

    about: str
    """What is wrong, how that is known, and what stands there instead."""
    apply: Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class DataSet:
    """One published data set. Its files, address and sha256 are those of the asset of the same name."""

    name: str
    about: str
    cite: str
    """Whom to cite, and where the numbers are published."""
    table: str
    """File of the main table."""
    columns: tuple[Column, ...]
    """Of the main table."""
    counted: Counted | None = None
    """Which parameters the column of parameters counts. None where there are no runs to fit."""
    counted_note: str = ""
    """How that is known, and what is to be known about tokens and compute."""
    fits: tuple[Rows, ...] = ()
    """The published fits; the first is the one that is meant where none is named."""
    mends: tuple[Mend, ...] = ()
    """What is wrong in the main table as it was published, and is put right when it is read."""

    def column(self, role: Role) -> str | None:
        """Name of the column with that role in the main table; None where it has none."""
        return next((column.name for column in self.columns if column.role == role), None)

    def fit(self, name: str | None = None) -> Rows:
        """The published fit of that name, or the first. Raises UserError where there is none."""
        if not self.fits:
            raise UserError("no published fit is declared for it", place=f"data set {self.name}")
        if name is None:
            return self.fits[0]
        known = {rows.name: rows for rows in self.fits}
        if name not in known:
            raise UserError(
                f"it has no fit '{name}'{nearest(name, known)} (fits: {', '.join(known)})",
                place=f"data set {self.name}",
            )
        return known[name]
