"""Scores of a confusion matrix. Every function takes a stack of them, such as one per bootstrap draw."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def confusions(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> tuple[list[Hashable], Floats]:
    """The classes; and per document its confusion matrix, flat (documents, classes²): row gold, column predicted."""
    classes: list[Hashable] = sorted({*gold, *predicted}, key=lambda label: (str(type(label)), label))
    place = {label: index for index, label in enumerate(classes)}
    rows = np.zeros((len(gold), len(classes) ** 2))
    cells = [place[g] * len(classes) + place[p] for g, p in zip(gold, predicted, strict=True)]
    rows[np.arange(len(gold)), cells] = 1
    return classes, rows


def matthews(matrices: Floats) -> Floats:
    """Matthews' correlation coefficient of matrices (..., k, k); of more than two classes Gorodkin's R_K.

    (c·s - Σ t_k·p_k) / sqrt((s² - Σ p_k²)(s² - Σ t_k²)), c the correct ones, s all, t and p the sums of rows and of
    columns (Gorodkin 2004, Computational Biology and Chemistry 28:367). 0 where all are of
    one class, or predicted as one.
    """
    true, predicted = matrices.sum(-1), matrices.sum(-2)
    every = true.sum(-1)
    correct = np.trace(matrices, axis1=-2, axis2=-1)
    shared = correct * every - (true * predicted).sum(-1)
    spread = (every**2 - (predicted**2).sum(-1)) * (every**2 - (true**2).sum(-1))
    out: Floats = np.divide(shared, np.sqrt(spread), out=np.zeros_like(shared), where=spread > 0)
    return out


def kappa(matrices: Floats) -> Floats:
    """Cohen's kappa (1960, Educational and Psychological Measurement 20:37) of matrices (..., k, k): (p_o - p_e) /
    (1 - p_e), p_o the share on the diagonal, p_e what it would be if rows and columns were independent. 0 where p_e
    is 1.
    """
    every = matrices.sum((-1, -2))
    observed = np.trace(matrices, axis1=-2, axis2=-1) / every
    expected = (matrices.sum(-1) * matrices.sum(-2)).sum(-1) / every**2
    out: Floats = np.divide(observed - expected, 1 - expected, out=np.zeros_like(observed), where=expected < 1)
    return out


def f1_of_class(matrices: Floats, place: int) -> Floats:
    """F1 of the class at one place: 2·TP / (2·TP + FP + FN); 0 where the class is neither there nor predicted."""
    hits = matrices[..., place, place]
    either = matrices[..., place, :].sum(-1) + matrices[..., :, place].sum(-1)
    out: Floats = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
    return out
