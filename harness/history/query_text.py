"""The answer to a query as a table, and as rows that have the types of its columns."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.number import NOTHING
from harness.report.output.rows import Field, Kind, Shape, rows_of
from harness.report.output.written import Answer
from harness.report.table import Column, Row, Table

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 6
"""Significant ones of a float in a table; CSV and JSON have all."""


def as_table(answer: pa.Table) -> Table:
    """The answer as a table to be printed."""
    import pyarrow as pa

    kinds = [field.type for field in answer.schema]
    numeric = [pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) for kind in kinds]
    columns = tuple(
        Column(name, numeric=is_number) for name, is_number in zip(answer.column_names, numeric, strict=True)
    )
    rows = tuple(Row(tuple(map(_cell, values))) for values in _rows(answer))
    return Table("", columns, rows, f"{len(rows):,} row{'s' if len(rows) != 1 else ''}")


def query_answer(answer: pa.Table) -> Answer:
    """The answer as a table and as rows, each column with the type that DuckDB gave it."""
    names = answer.column_names
    shape = Shape("row", "A row of the answer.", tuple(map(Field, names, map(_kind, answer.schema.types))))
    rows = [dict(zip(names, map(_plain, values), strict=True)) for values in _rows(answer)]
    table = as_table(answer)
    return Answer("Answer", [table], rows_of(shape, names, rows))


def _kind(type_: pa.DataType) -> Kind:
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_boolean(type_):
        return "boolean"
    if kinds.is_integer(type_) or (kinds.is_decimal(type_) and type_.scale == 0):
        return "integer"
    if kinds.is_floating(type_) or kinds.is_decimal(type_):
        return "number"
    return "json" if kinds.is_nested(type_) else "text"


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in answer.columns]
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    """A value as JSON has it: times and what is of no such kind as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_plain(one) for one in value]
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}" if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, Decimal | str):
        return str(value)
    plain = _plain(value)
    return plain if isinstance(plain, str) else strict_json.dumps(plain, ensure_ascii=False)
