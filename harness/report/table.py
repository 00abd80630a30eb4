"""A table as it is meant, before it is printed: every printer (terminal, Markdown, HTML) shows the same one."""

from dataclasses import dataclass, field

from harness.number import Shown


@dataclass(frozen=True)
class Column:
    """One column: its header, its unit, and whether it holds numbers."""

    name: str
    unit: str = ""
    numeric: bool = False

    @property
    def header(self) -> str:
        """Name with unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Row:
    """One row of words and finished numbers. `group` starts a new block where it differs; `state` colors the row."""

    cells: tuple[str | Shown, ...]
    group: str = ""
    state: str = ""
    """Empty, or one of: failed, skipped, met, unmet, undecided, better, worse."""


@dataclass(frozen=True)
class Table:
    """A titled table with what holds for all its rows (caption) and what a reader must know (notes)."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    notes: tuple[str, ...] = field(default=())
    charts: tuple[str, ...] = ()
    """Names of the charts that stand below it on a page, those that there is something to draw of."""
