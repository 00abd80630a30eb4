"""Two runs document by document, as tables and as rows."""

from __future__ import annotations

from dataclasses import asdict

from harness.comparison.flip import Difference
from harness.report.flips import difference_tables
from harness.report.output.rows import Rows, rows_of
from harness.report.output.shapes import FLIP_COUNTS, FLIPS
from harness.report.output.written import Answer

LISTED = 20
"""Documents of each task in a table, where nobody says how many."""


def difference_answer(difference: Difference, limit: int | None) -> Answer:
    """A row for each document that flipped. limit: so many of each pair of cells and task; None: a table has a few, the
    rows are all; 0: the counts alone, a row for each pair of cells and task."""
    tables = difference_tables(difference, LISTED if limit is None else limit)
    title = f"{difference.base} and {difference.head}"
    return Answer(title, tables, _counts(difference) if limit == 0 else _flips(difference, limit))


def _counts(difference: Difference) -> Rows:
    rows = [
        pair.at
        | {
            name: getattr(pair, name)
            for name in ("task", "metric", "asked", "both", "only_base", "only_head", "neither")
        }
        | {"paired": pair.documents, "difference": pair.difference.value, "p_value": pair.p_value}
        | {"low": pair.difference.low, "high": pair.difference.high}
        for pair in difference.pairs
    ]
    return rows_of(FLIP_COUNTS, [*_names(difference), *(field.name for field in FLIP_COUNTS.fields)], rows)


def _flips(difference: Difference, limit: int | None) -> Rows:
    rows = [
        pair.at | {"metric": pair.metric, "asked": pair.asked} | asdict(flip)
        for pair in difference.pairs
        for flip in pair.flips[:limit]
    ]
    return rows_of(FLIPS, [*_names(difference), *(field.name for field in FLIPS.fields)], rows)


def _names(difference: Difference) -> list[str]:
    return list(dict.fromkeys(name for pair in difference.pairs for name in pair.at))
