"""Rows of data with typed columns: a column holds one type (or nothing) in every row, whatever was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from harness import strict_json

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "integer", "number", "boolean", "json"]
"""json: a list or a mapping, which CSV holds as text."""
Value = Any


@dataclass(frozen=True)
class Field:
    """One column: its name, its type, and what it says."""

    name: str
    kind: Kind
    meaning: str = ""
    wide: bool = False
    """Whether it is left out unless all columns are asked for."""


@dataclass(frozen=True)
class Shape:
    """The columns that a command always has."""

    name: str
    """What a row is, in one word."""
    about: str
    """What a row is, in a sentence."""
    fields: tuple[Field, ...]
    others: str = ""
    """What the columns beside those are; empty where there are none."""


@dataclass(frozen=True)
class Rows:
    """Rows, each with a value or None for every column."""

    shape: Shape
    columns: tuple[Field, ...]
    rows: tuple[Mapping[str, Value], ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The same as a DataFrame; whole numbers stay whole where some are missing (Int64)."""
        import pandas as pd

        dtypes = {"text": "string", "integer": "Int64", "number": "float64", "boolean": "boolean", "json": "object"}
        columns = {
            column.name: pd.Series([row[column.name] for row in self.rows], dtype=dtypes[column.kind])
            for column in self.columns
        }
        return pd.DataFrame(columns, columns=[column.name for column in self.columns])


def rows_of(
    shape: Shape,
    names: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    wide: bool = False,
    among: Iterable[Mapping[str, Any]] | None = None,
) -> Rows:
    """Rows with the columns `names`, in this order; what a row lacks is None.

    A column that the shape does not declare has the type of its values in `among` (all rows, where `rows` are some of
    them): text where they differ. It is left out where no row has a value. wide: all columns.
    """
    rows = list(rows)
    every = rows if among is None else list(among)
    declared = {field.name: field for field in shape.fields}
    columns = []
    for name in dict.fromkeys(names):
        field = declared.get(name)
        if field is None and (wide or any(row.get(name) is not None for row in rows)):
            columns.append(Field(name, kind_of(row.get(name) for row in every)))
        elif field is not None and (wide or not field.wide):
            columns.append(field)
    plain = tuple({column.name: _as(column.kind, row.get(column.name)) for column in columns} for row in rows)
    return Rows(shape, tuple(columns), plain)


def kind_of(values: Iterable[Any]) -> Kind:
    """The type that holds all of these. Whole numbers beside fractions are numbers, and whole numbers where all of them
    are whole (256 beside 256.0); any other mixture is text."""
    there = [value for value in values if value is not None]
    found: set[Kind] = set(map(_kind, there))
    if len(found) == 1:
        return found.pop()
    if found == {"integer", "number"}:
        return "integer" if all(float(value).is_integer() for value in there) else "number"
    return "text"


def _kind(value: Any) -> Kind:
    value = _plain(value)
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, list | tuple | dict):
        return "json"
    return "number" if isinstance(value, float) else "text"


def _plain(value: Any) -> Any:
    """A value of numpy as Python has it."""
    return value.item() if hasattr(value, "item") and not isinstance(value, Enum) else value


def _as(kind: Kind, value: Any) -> Value:
    value = _plain(value)
    if value is None:
        return None
    if kind == "number":
        return float(value)
    if kind == "integer":
        return int(value)
    if kind == "boolean":
        return bool(value)
    if kind == "json" or isinstance(value, str):
        return strict_json.drawn(value) if kind == "json" else str(value)
    return strict_json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict | tuple) else str(value)
