"""Axes that no cell has: three seeds of a model that is not trained are one cell, and who wrote them expects three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.suite.cells import TRAINED_AXES
from harness.suite.mistakes import located
from harness.suite.schema import Matrix, Suite
from harness.yaml_files.document import Document, KeyPath


def idle_axes(suite: Suite, document: Document) -> list[str]:
    """A sentence, with its line, for every axis of several values that makes no cells."""
    told = []
    for path, matrix, pairs in _places(suite):
        mine = list(pairs)
        for axis, values in matrix.axes().items():
            if len(values) > 1 and mine and not any(_has(suite, axis, pair, path) for pair in mine):
                told.append(located(document, (*path, axis), _why(suite, axis, mine)))
    return told


Pair = tuple[str, int]
"""A model by its name, and an entry of `measures` that it is measured by, by its number."""


def _places(suite: Suite) -> Iterator[tuple[KeyPath, Matrix, Iterable[Pair]]]:
    """Every matrix with where it stands and what it may make cells of."""
    pairs = [
        (name, number)
        for number, entry in enumerate(suite.measures)
        for name in entry.models or suite.models  # type: ignore[attr-defined]
    ]
    yield ("matrix",), suite.matrix, pairs
    for name, model in suite.models.items():
        yield ("models", name, "matrix"), model.matrix, (pair for pair in pairs if pair[0] == name)
    for number, entry in enumerate(suite.measures):
        yield (
            ("measures", number, "matrix"),
            entry.matrix,  # type: ignore[attr-defined]
            [pair for pair in pairs if pair[1] == number],
        )


def _has(suite: Suite, axis: str, pair: Pair, path: KeyPath) -> bool:
    """Whether the cells of a pair have an axis as the matrix at `path` says it: a measure's own comes before a
    model's, and that before the suite's."""
    name, number = pair
    if axis in TRAINED_AXES and not suite.models[name].settings.is_trained_here:
        return False
    nearer = [] if path[0] == "measures" else [suite.measures[number].matrix]  # type: ignore[attr-defined]
    nearer += [suite.models[name].matrix] if path == ("matrix",) else []
    return not any(axis in matrix.axes() for matrix in nearer)


def _why(suite: Suite, axis: str, pairs: list[Pair]) -> str:
    if axis in TRAINED_AXES and not any(suite.models[name].settings.is_trained_here for name, _ in pairs):
        return f"`{axis}` is an axis of training, and no model that is measured here is trained: remove it"
    return f"no cell has these values, as every model or measure here has its own `{axis}`: remove one of them"
