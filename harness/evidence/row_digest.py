"""A row of samples as a digest, so that who keeps no long lists of it (a baseline) can still tell whether another row
is the same to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measures.measure import NOTES

if TYPE_CHECKING:
    import pandas as pd

ROW_DIGEST = "row_digest"
"""Column: of the whole row as it was before lists were taken out of it."""
DISTRIBUTION_DIGEST = "distribution_digest"
"""Column of a probe: of what it expected, where not all of it was kept."""
DISTRIBUTION = ("token_nll", "top_ids", "top_log_probs", "rest_log_prob")
"""Columns of a probe that say what it expected."""


def row_digests(samples: pd.DataFrame) -> list[str]:
    """A digest of each row, notes aside: as it was kept, or of what is there. Equal where all columns are equal, NaN
    like NaN; of lists of numbers the type counts too."""
    if ROW_DIGEST in samples:
        return list(map(str, samples[ROW_DIGEST]))
    names = sorted(str(name) for name in samples.columns if name != NOTES)
    return [_digest(zip(names, values, strict=True)) for values in zip(*(samples[name] for name in names), strict=True)]


def distribution_digest(row: Mapping[Any, Any]) -> str:
    """The same of what a probe expected in one document."""
    kept = row.get(DISTRIBUTION_DIGEST)
    return kept if isinstance(kept, str) else _digest((name, row[name]) for name in DISTRIBUTION)


def _digest(named: Iterable[tuple[str, Any]]) -> str:
    digest = hashlib.sha256()
    for name, value in named:
        digest.update(f"{name}={_plain(value)};".encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    """The same text for equal values: 1 is 1.0, -0.0 is 0.0, a NaN is any NaN."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        whole = value + 0.0 if value.dtype.kind == "f" else value
        if value.dtype.kind == "f":
            whole = np.where(np.isnan(whole), np.array(np.nan, dtype=value.dtype), whole)
        return f"{value.dtype}{value.shape}{hashlib.sha256(np.ascontiguousarray(whole).tobytes()).hexdigest()}"
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{','.join(map(_plain, value))}]"
    if isinstance(value, int | float | np.number | np.bool_):
        number = float(value)
        return f"{int(value)}" if number.is_integer() else repr(number)
    return repr(value)
