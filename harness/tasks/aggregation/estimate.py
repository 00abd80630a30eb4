"""One number of a task or a group, with its interval: what aggregation gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["proportion", "mean", "other"]
"""proportion: of documents that are right or wrong. mean: over documents. other: of all documents together."""


@dataclass(frozen=True)
class Estimate:
    """The value of one key."""

    key: str
    value: float
    low: float | None
    """Lower end of the interval; None where the data or the mode can't give one."""
    high: float | None
    how: str
    """How the interval was made, or why there is none."""
    n: int
    """Documents that it rests on."""
    n_unit: str = "documents"
    stderr: float | None = None
    """Standard error; None where lm-eval says N/A."""
    degrees: float | None = None
    """Degrees of freedom of the standard error."""
    family: Family = "other"
