"""The trained models of a run as the rows of a scaling law: size, tokens, FLOPs and loss, a row per model and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.evidence.selection import Point, points, selects, why_nothing
from harness.results.record import CellResult, Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from harness.evidence.selection import Where

EXACT_FLOPS, TOKENS, EPOCHS = "training_flops", "trained_tokens", "epochs"


def training_frame(run: Run, of: str, where: Where, models: list[str] | None = None) -> pd.DataFrame:
    """One row per value of the metric `of`: model, axes, parameters, parameters_non_embedding, tokens, training_flops,
    epochs, loss, low, high. Tokens and FLOPs are those that the measure `training` recorded for the same training.

    Raises UserError where there is no such value, or no training was measured beside it.
    """
    import pandas as pd

    having = points(run, of)
    chosen = [
        point for point in having if selects(where, point.cell) and (models is None or point.cell.model in models)
    ]
    if not chosen:
        asked = dict(where) | ({"model": list(models)} if models else {})
        why = why_nothing(asked, [point.cell for point in having]) if having else f"the run has no value of {of}"
        raise UserError(why)
    trained = {_training(point.cell): _records(point.cell) for point in points(run, TOKENS)}
    rows = [_row(point, trained[key]) for point in chosen if (key := _training(point.cell)) in trained]
    if not rows:
        raise UserError(f"no tokens are known for these models: add the measure `training`, which records {TOKENS}")
    return pd.DataFrame(rows)


def _training(cell: CellResult) -> tuple[str, tuple[tuple[str, Scalar], ...]]:
    """Which training a cell's model comes from: its name and the axes that make another model of it."""
    return cell.model, tuple((name, cell.axes[name]) for name in ("compute", "seed") if name in cell.axes)


def _records(cell: CellResult) -> dict[str, float]:
    return {record.metric: record.value for record in cell.records if record.metric and record.value is not None}


def _row(point: Point, training: dict[str, float]) -> dict[str, object]:
    record, tokens = point.record, training[TOKENS]
    return {
        "model": point.cell.model,
        **point.cell.axes,
        "parameters": record.parameters,
        "parameters_non_embedding": record.parameters_non_embedding,
        "tokens": tokens,
        "training_flops": training.get(EXACT_FLOPS),
        "epochs": training.get(EPOCHS),
        "loss": record.value,
        "low": record.low,
        "high": record.high,
    }
