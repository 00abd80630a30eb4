"""Answers of several models to the same documents: a table with a row per model and document, checked and squared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.table_checks import numbers, require_columns
from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NUMBERS = (
    *("right", "token_accuracy", "edit_similarity", "brier_score", "likelihood"),
    *("gold_log_prob", "gold_bytes", "tokens", "hits"),
)
LEAST_DOCUMENTS = 10


@dataclass(frozen=True)
class Answers:
    """What the documents that every model has say."""

    columns: dict[str, Floats]
    """Those of `NUMBERS` that are there, each (documents, sizes)."""
    sizes: tuple[float, ...]
    """Parameters, ascending."""
    clusters: tuple[str, ...]
    """(documents,) what is not independent; a document without a cluster is its own."""


def read_answers(frame: pd.DataFrame, analysis: str) -> Answers:
    """frame: `parameters`, `document`, `right`, and what there is of the other `NUMBERS` and of `cluster`.

    Documents that not every model has in every column are left out. Raises UserError without the columns, for two rows
    of one document and size, for numbers that are none, and for fewer than ten documents in common.
    """
    import numpy as np
    import pandas as pd

    require_columns(frame, ("parameters", "document", "right"), analysis)
    twice = frame[frame.duplicated(["parameters", "document"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(f"document {row['document']} comes twice at {row['parameters']} parameters", place=analysis)
    sizes, column = np.unique(numbers(frame, "parameters", analysis).to_numpy(), return_inverse=True)
    if not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise UserError("a model has a positive number of parameters", place=f"{analysis}: column parameters")
    row_of, documents = pd.factorize(frame["document"])
    columns = {}
    for name in (name for name in NUMBERS if name in frame.columns and frame[name].notna().any()):
        columns[name] = np.full((len(documents), len(sizes)), np.nan)
        columns[name][row_of, column] = numbers(frame, name, analysis)
    common = ~np.isnan(np.stack(list(columns.values()))).any(axis=(0, 2))
    if common.sum() < LEAST_DOCUMENTS:
        raise UserError(
            f"all models have {common.sum()} documents in common: at least {LEAST_DOCUMENTS} are needed", place=analysis
        )
    columns = {name: values[common] for name, values in columns.items()}
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise UserError("a value is no finite number", place=f"{analysis}: column {name}")
    return Answers(columns, tuple(sizes.tolist()), _clusters(frame, list(documents[common])))


def _clusters(frame: pd.DataFrame, documents: list[object]) -> tuple[str, ...]:
    if "cluster" not in frame.columns:
        return tuple(map(str, documents))
    named = frame.dropna(subset=["cluster"]).drop_duplicates("document").set_index("document")["cluster"].to_dict()
    return tuple(f"cluster {named[one]}" if one in named else str(one) for one in documents)
