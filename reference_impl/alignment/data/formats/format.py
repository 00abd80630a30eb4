"""What a format of alignment data declares of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Row
from reference_impl.text.dialog import Dialog


@dataclass(frozen=True)
class Conversation:
    """A conversation, of which the assistant's turns from message `first` on are demonstrations."""

    dialog: Dialog
    first: int = 0


@dataclass(frozen=True)
class Format:
    """How rows with these columns are read."""

    name: str
    kind: type[Row]
    """What its rows are."""
    columns: tuple[str, ...]
    """Every row has them."""
    read: Callable[[RawRow], Iterable[Row | Conversation]]
    """What a row says, without its place. Raises TextError for a mistake and Unusable for a row of no use."""
    example: Mapping[str, Any]
    """A row of this format: documentation, and a test."""
    optional: tuple[str, ...] = ()
    """Columns that are read where they are there."""
    unless: tuple[str, ...] = ()
    """Columns with which a row means something else."""
    fits: Callable[[RawRow], bool] = lambda row: True
    """Whether the values are what the format has there, for columns that several formats share."""

    def recognizes(self, row: RawRow) -> bool:
        """Whether a row is of this format, by its columns and what they hold."""
        there = row.columns
        has_all = all(name in there for name in self.columns)
        return has_all and not any(name in there for name in self.unless) and self.fits(row)
