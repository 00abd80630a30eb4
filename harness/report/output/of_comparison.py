"""Two runs side by side as tables and as rows, or what is chosen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.comparison.compare import COLUMNS
from harness.report.comparison import comparison_tables
from harness.report.output.choice import EVERYTHING, Choice, chosen_rows, metric_names
from harness.report.output.rows import rows_of
from harness.report.output.shapes import COMPARISON
from harness.report.output.written import Answer


def comparison_answer(
    title: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]], choice: Choice = EVERYTHING
) -> Answer:
    """What is chosen of a comparison. names: the coordinates of its rows. Raises UserError where nothing is."""
    chosen = _chosen(names, rows, choice)
    after = [name for name in COLUMNS if name not in ("model", "measure")]
    plain = [{**row, "change": row["change"] or None, "reason": row["reason"] or None} for row in chosen]
    data = rows_of(COMPARISON, [*names, *after], plain, wide=choice.wide, among=rows)
    return Answer(title, comparison_tables(names, chosen, all_columns=choice.wide), data)


def _chosen(names: Sequence[str], rows: Sequence[Mapping[str, Any]], choice: Choice) -> list[Mapping[str, Any]]:
    found = chosen_rows(rows, choice.where, (*names, "part"))
    if not choice.metrics:
        return found
    ids = {str(row["metric"]): str(row["metric_id"]) for row in found if row["metric"] is not None}
    metrics = metric_names(choice.metrics, ids)
    measures = {row["measure"] for row in found if row["metric"] in metrics}
    return [row for row in found if row["metric"] in metrics or (row["metric"] is None and row["measure"] in measures)]
