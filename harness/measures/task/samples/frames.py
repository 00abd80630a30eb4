"""The samples of a cell as a frame: its tasks, its documents, and the metrics that are a number of each document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.measures.measure import LAUNCH
from harness.measures.task.samples import columns
from harness.measures.task.samples.column import Column
from harness.measures.task.samples.columns import BROKEN, CHANCE, DOCUMENT, QUESTION_DIGEST, TASK, TEXT_DIGEST
from harness.measures.task.samples.document import Document
from harness.measures.task.samples.rows import read

if TYPE_CHECKING:
    import pandas as pd

_NO_METRICS = columns.NAMES | {LAUNCH, "seed"}
"""Columns of every version that are no metric."""


def has_documents(samples: pd.DataFrame) -> bool:
    """Whether these are samples of the measure `task`."""
    return {TASK.name, DOCUMENT.name} <= set(samples.columns)


def tasks_of(samples: pd.DataFrame) -> list[str]:
    """The tasks whose documents these are, in their order."""
    return list(dict.fromkeys(TASK.each(samples)))


def by_task(samples: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every task with its rows."""
    for name, rows in samples.groupby(TASK.name, sort=False):
        yield str(name), rows


def of_task(samples: pd.DataFrame, task: str) -> pd.DataFrame:
    """The rows of one task."""
    return samples[samples[TASK.name] == task]


def judged(samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of documents that were asked and judged."""
    return samples[samples[BROKEN.name].isna()]


def in_order(samples: pd.DataFrame) -> pd.DataFrame:
    """The same rows by task and document."""
    return samples.sort_values([TASK.name, DOCUMENT.name])


def documents(samples: pd.DataFrame) -> Iterator[Document]:
    """Every document, whole."""
    return map(read, samples.to_dict("records"))


def document(samples: pd.DataFrame, task: str, number: int) -> Document | None:
    """One document; None where it isn't there."""
    rows = samples[(samples[TASK.name] == task) & (samples[DOCUMENT.name] == number)]
    return read(rows.iloc[0].to_dict()) if len(rows) else None


def records(samples: pd.DataFrame, *columns: Column[Any]) -> list[Mapping[Any, Any]]:
    """The rows with these columns alone: most others are long lists."""
    return samples[[each.name for each in columns if each.name in samples.columns]].to_dict("records")  # type: ignore[return-value]


def digest_of(row: Mapping[Any, Any]) -> str | None:
    """Of the question, however it is asked; in runs of earlier versions of what was asked."""
    return QUESTION_DIGEST.of(row) or TEXT_DIGEST.of(row)


def digests(samples: pd.DataFrame) -> list[str | None]:
    """`digest_of` every row. Raises KeyError where samples tell none."""
    return (QUESTION_DIGEST if QUESTION_DIGEST.is_in(samples) else TEXT_DIGEST).each(samples)


def mean_chance(samples: pd.DataFrame) -> float | None:
    """What guessing gets, over documents; None where no document says it."""
    return float(samples[CHANCE.name].mean()) if CHANCE.has_values_in(samples) else None


def metrics_of(samples: pd.DataFrame) -> list[str]:
    """The metrics that are a number of each document, in their order."""
    return [
        str(name)
        for name in samples.columns
        if samples[name].dtype.kind in "fiub" and str(name) not in _NO_METRICS and samples[name].notna().any()
    ]


def values_of(samples: pd.DataFrame, metric: str) -> list[float]:
    """What each row adds to one of `metrics_of`; NaN where it adds nothing."""
    return [float(value) for value in samples[metric]]
