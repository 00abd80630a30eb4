"""Answers of several models to the same documents: a table with a row per model and document, checked and squared."""

from __future__ import annotations

import math
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
_ROUNDING = 1e-6
_WITHIN = {
    **dict.fromkeys(("right", "token_accuracy", "edit_similarity", "likelihood"), (0.0, 1.0)),
    "brier_score": (0.0, 2.0),
    "gold_log_prob": (-math.inf, 0.0),
    "gold_bytes": (1.0, math.inf),
    "tokens": (1.0, math.inf),
    "hits": (0.0, math.inf),
}
"""Between what the values of a column can lie."""


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
    of one document and size, for numbers that are none or lie where the column can't (percent), and for fewer than ten
    documents in common.
    """
    import numpy as np
    import pandas as pd

    require_columns(frame, ("parameters", "document", "right"), analysis)
    sizes, column = np.unique(numbers(frame, "parameters", analysis).to_numpy(), return_inverse=True)
    if not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise UserError("a model has a positive number of parameters", place=f"{analysis}: column parameters")
    if len(sizes) == 1:
        raise UserError("these are answers of one size: several are wanted", place=f"{analysis}: column parameters")
    twice = frame[frame.duplicated(["parameters", "document"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(f"document {row['document']} comes twice at {row['parameters']} parameters", place=analysis)
    row_of, documents = pd.factorize(frame["document"])
    columns = {}
    for name in NUMBERS:
        if name not in frame.columns or (name != "right" and frame[name].isna().all()):
            continue
        columns[name] = np.full((len(documents), len(sizes)), np.nan)
        columns[name][row_of, column] = numbers(frame, name, analysis)
    common = ~np.isnan(np.stack(list(columns.values()))).any(axis=(0, 2))
    if common.sum() < LEAST_DOCUMENTS:
        raise UserError(
            f"all models have {common.sum()} documents in common: at least {LEAST_DOCUMENTS} are needed", place=analysis
        )
    columns = {name: values[common] for name, values in columns.items()}
    _plausible(columns, analysis)
    return Answers(columns, tuple(sizes.tolist()), _clusters(frame, list(documents[common])))


def _plausible(columns: dict[str, Floats], analysis: str) -> None:
    """UserError for the first column with a value that none of its kind can have."""
    import numpy as np

    for name, values in columns.items():
        low, high = _WITHIN[name]
        wrong = values[(values < low - _ROUNDING) | (values > high + _ROUNDING) | ~np.isfinite(values)]
        if len(wrong):
            between = " to ".join(f"{end:g}" for end in (low, high))
            raise UserError(f"{wrong[0]:g} is not within {between}", place=f"{analysis}: column {name}")
    if {"tokens", "hits"} <= columns.keys() and np.any(columns["hits"] > columns["tokens"]):
        raise UserError("there are more hits than tokens", place=f"{analysis}: column hits")
    if "gold_bytes" in columns and np.ptp(columns["gold_bytes"], axis=1).any():
        raise UserError("a document's right answer has one length, whoever is asked", place=f"{analysis}: gold_bytes")


def _clusters(frame: pd.DataFrame, documents: list[object]) -> tuple[str, ...]:
    if "cluster" not in frame.columns:
        return tuple(map(str, documents))
    named = frame.dropna(subset=["cluster"]).drop_duplicates("document").set_index("document")["cluster"].to_dict()
    return tuple(f"cluster {named[one]}" if one in named else str(one) for one in documents)
