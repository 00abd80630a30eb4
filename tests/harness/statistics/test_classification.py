"""F1 and Matthews' correlation, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.classification import confusions, f1_of_class, matthews

Pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)
Binary = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)


def _matrix(pairs: list[tuple[int, int]]) -> tuple[list[object], np.ndarray]:
    classes, rows = confusions([g for g, _ in pairs], [p for _, p in pairs])
    return list(classes), rows.sum(0).reshape(1, len(classes), len(classes))


@given(Pairs)
def test_matthews_is_the_correlation_of_indicators(pairs: list[tuple[int, int]]) -> None:
    """R_K: covariance of the one-hot matrices over the root of their own covariances' product."""
    gold, predicted = np.eye(3)[[g for g, _ in pairs]], np.eye(3)[[p for _, p in pairs]]
    gold, predicted = gold - gold.mean(0), predicted - predicted.mean(0)
    spread = np.sqrt((gold**2).sum() * (predicted**2).sum())
    expected = (gold * predicted).sum() / spread if spread > 1e-9 else 0.0
    assert float(matthews(_matrix(pairs)[1])[0]) == pytest.approx(expected, abs=1e-9)


@given(Binary)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(pairs: list[tuple[int, int]]) -> None:
    hits = sum(g == p == 1 for g, p in pairs)
    classes, matrix = _matrix(pairs)
    if 1 not in classes:
        return
    expected = 0.0
    if hits:
        precision, recall = hits / sum(p for _, p in pairs), hits / sum(g for g, _ in pairs)
        expected = 2 * precision * recall / (precision + recall)
    assert float(f1_of_class(matrix, classes.index(1))[0]) == pytest.approx(expected)
