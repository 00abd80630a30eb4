"""The one writer: what a command found as CSV, JSON, Markdown or HTML.

CSV and JSON hold the rows with every digit; Markdown and HTML the tables that a terminal shows.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness import strict_json
from harness.errors import WrongArgument, inert, printable, shown
from harness.report.output.rows import Field, Rows, Value
from harness.report.table import Table
from harness.spelling import nearest

REASON = "reason"
"""The column that says why a number is null."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""


class Format(StrEnum):
    """How a command's output is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MD = "md"
    HTML = "html"


ALSO = {"markdown": Format.MD}
"""Other names of formats."""


@dataclass(frozen=True)
class Answer:
    """What a command found: tables for people, rows for programs."""

    title: str
    tables: Sequence[Table]
    rows: Rows


def format_of(text: str) -> Format:
    """The format of that name. Raises UserError."""
    names = [*Format, *ALSO]
    if text.lower() not in names:
        raise WrongArgument(
            f"is one of {', '.join(Format)}, not '{shown(text)}'{nearest(text.lower(), names)}", place="format"
        )
    return ALSO.get(text.lower()) or Format(text.lower())


def written(answer: Answer, format: Format) -> str:
    """The text of one format but `table`, which a console prints; it ends with a line break."""
    writers: dict[Format, Callable[[Answer], str]] = {
        Format.CSV: lambda answer: as_csv(answer.rows),
        Format.JSON: lambda answer: as_json(answer.rows),
        Format.MD: _markdown,
        Format.HTML: _html,
    }
    return writers[format](answer)


def as_csv(rows: Rows) -> str:
    """Rows as CSV with a header: what is missing is empty, `inf` is infinity, and no text is a formula.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with an
    apostrophe: who takes one off has the text as it was.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = _with_reasons(rows, lambda value: math.isnan(value))
    writer.writerow([_safe(column.name) for column in rows.columns])
    writer.writerows([[_csv_cell(row[column.name]) for column in rows.columns] for row in rows.rows])
    return text.getvalue()


def as_json(rows: Rows) -> str:
    """Rows as a JSON list of objects that all have the same keys. A number that is infinite or none is null, and the
    key `reason` says which. ASCII, so that no terminal and no file changes a character of it."""
    rows = _with_reasons(rows, lambda value: not math.isfinite(value))
    lines = ",\n".join(
        f"  {strict_json.dumps({key: _finite(value) for key, value in row.items()})}" for row in rows.rows
    )
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _csv_cell(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return _safe(strict_json.dumps(value, ensure_ascii=False))
    return _safe(value) if isinstance(value, str) else repr(value)


def _safe(text: str) -> str:
    text = inert(text)
    return f"'{text}" if text.startswith((*FORMULAS, "'")) else text


def _finite(value: Value) -> Value:
    if isinstance(value, str):
        return printable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_reasons(rows: Rows, is_lost: Callable[[float], bool]) -> Rows:
    """The same with a sentence in the column `reason` for every number that the format has no word for."""
    told = [
        [f"{name} is {_word(value)}" for name, value in row.items() if isinstance(value, float) and is_lost(value)]
        for row in rows.rows
    ]
    if not any(told):
        return rows
    columns = rows.columns
    if all(column.name != REASON for column in columns):
        columns = (*columns, Field(REASON, "text"))
    plain = tuple(
        {**row, REASON: "; ".join([*([str(before)] if (before := row.get(REASON)) else []), *why]) or None}
        for row, why in zip(rows.rows, told, strict=True)
    )
    return Rows(rows.shape, columns, plain)


def _word(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite" if value > 0 else "minus infinity"


def _markdown(answer: Answer) -> str:
    from harness.report.markdown import table_markdown

    return "\n\n".join(map(table_markdown, answer.tables)) + "\n"


def _html(answer: Answer) -> str:
    from harness.report.html import tables_page

    return tables_page(answer.title, answer.tables)
