"""Tables of words, such as those of `harness list`, as rows: a column for each column of theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.report.output.choice import EVERYTHING, Choice, chosen_rows
from harness.report.output.rows import Value, rows_of
from harness.report.output.shapes import WORDS
from harness.report.output.written import Answer
from harness.report.table import Row, Table

_UNNAMED = "what"
"""The column without a header, which says what a row is of."""


def words_answer(title: str, tables: Sequence[Table], choice: Choice = EVERYTHING) -> Answer:
    """What is chosen of the tables' rows. Raises UserError where nothing is."""
    found = [(table, row, _row(table, row)) for table in tables for row in table.rows]
    chosen = {id(row): row for row in chosen_rows([row for _, _, row in found], choice.where)}
    names = list(dict.fromkeys(name for _, _, row in found for name in row))
    kept = [
        replace(table, rows=tuple(row for of, row, data in found if of is table and id(data) in chosen))
        for table in tables
    ]
    data = rows_of(WORDS, names, list(chosen.values()), among=[row for _, _, row in found])
    return Answer(title, [table for table in kept if table.rows or not choice.where], data)


def _row(table: Table, row: Row) -> dict[str, Value]:
    cells = zip(table.columns, row.cells, strict=True)
    return {"table": table.title} | {
        column.name.replace(" ", "_") or _UNNAMED: _number(str(cell)) if column.numeric else str(cell) or None
        for column, cell in cells
    }


def _number(text: str) -> Value:
    """A number as it is, whose digits a table parts by commas."""
    plain = text.replace(",", "")
    if re.fullmatch("-?[0-9]+", plain):
        return int(plain)
    return float(plain) if re.fullmatch(r"-?[0-9]+\.[0-9]+", plain) else text or None
