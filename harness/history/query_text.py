"""The answer to a query as text: a table, CSV, JSON or Markdown."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.number import NOTHING
from harness.report.markdown import table_markdown
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


def as_csv(answer: pa.Table) -> str:
    """The answer as CSV, nulls empty."""
    import csv
    import io

    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(answer.column_names)
    writer.writerows([["" if value is None else _text(value) for value in values] for values in _rows(answer)])
    return written.getvalue()


def as_json(answer: pa.Table) -> str:
    """The answer as a JSON list of objects."""
    rows = [dict(zip(answer.column_names, map(_plain, values), strict=True)) for values in _rows(answer)]
    return strict_json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def as_markdown(answer: pa.Table) -> str:
    """The answer as a table of Markdown."""
    table = replace(as_table(answer), caption="")
    return "\n".join(line for line in table_markdown(table).splitlines() if not line.startswith("## ")).strip() + "\n"


FORMATS: dict[str, Callable[[pa.Table], str]] = {"csv": as_csv, "json": as_json, "markdown": as_markdown}


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in answer.columns]
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    """A value as JSON has it: times and what is of no such kind as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_plain(one) for one in value]
    return str(value)


def _text(value: Any) -> Any:
    """A value for CSV: lists and structs as JSON."""
    plain = _plain(value)
    return strict_json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict | bool) else plain


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
