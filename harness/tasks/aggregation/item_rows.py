"""Items as rows of numbers that are summed over documents, where a metric is a function of such sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def references_and_answers(items: Sequence[Any]) -> tuple[list[list[str]], list[str]]:
    """Of items (reference or references, answer): both in the form that `corpus_statistics` takes."""
    references = [[item[0]] if isinstance(item[0], str) else [str(text) for text in item[0]] for item in items]
    return references, [item[1] if isinstance(item[1], str) else item[1][0] for item in items]


def class_scores(items: Sequence[Any], aggregation: str) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Of items (gold class, predicted class): rows to be summed, and the score of sums.

    ValueError for F1 of more than two classes.
    """
    from harness.statistics.classification import confusions, f1_of_class, kappa, matthews

    gold = [item[0][0] if isinstance(item[0], list) else item[0] for item in items]
    classes, rows = confusions(gold, [item[1] for item in items])
    size = len(classes)
    if aggregation in ("matthews_corrcoef", "cohen_kappa"):
        agreement = kappa if aggregation == "cohen_kappa" else matthews
        return rows, lambda sums: agreement(sums.reshape(-1, size, size))
    positive = [place for place, label in enumerate(classes) if label in (1, "1")]
    if size > 2 or (size == 2 and not positive):
        raise ValueError(f"F1 is of class 1 among two, and there are the classes {classes}")
    if not positive:
        return rows, lambda sums: sums[:, 0] * 0.0
    return rows, lambda sums: f1_of_class(sums.reshape(-1, size, size), positive[0])


def labels(clusters: Sequence[str | None]) -> list[str]:
    """A group for every document: its cluster, or one of its own."""
    return [f"\0{index}" if cluster is None else cluster for index, cluster in enumerate(clusters)]


def sums_by_group(rows: Floats, groups: Sequence[str]) -> Floats:
    """Sums of rows (documents, columns) per group, in order of first appearance: (groups, columns)."""
    import numpy as np

    places: dict[str, int] = {}
    index = [places.setdefault(group, len(places)) for group in groups]
    sums = np.zeros((len(places), rows.shape[1]))
    np.add.at(sums, index, rows)
    return sums
