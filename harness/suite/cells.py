"""The matrix multiplied out: a suite becomes cells, in the order in which it is written."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from harness.errors import UserError, shown
from harness.measures.measure import Settings
from harness.measures.registry import MEASURES
from harness.results.record import Scalar
from harness.suite.mistakes import sentences_of
from harness.suite.schema import SWEEPABLE, Matrix, Suite
from harness.yaml_files.document import Document

TRAINED_AXES = ("seed", "compute")
"""Axes of the training: each point of them is a model of its own. Models that are not trained here have none."""
MOST_CELLS = 5_000
"""Of a suite: days, at a minute each."""
DEFAULT_AXES: dict[str, list[Any]] = {"precision": ["fp32"], "device": ["auto"]}


@dataclass(frozen=True)
class Cell:
    """One model at one point of the matrix, under one measure: the unit that runs, fails, is cached and resumed. Two
    cells are equal, and have one hash, where all of these are equal."""

    model: str
    measure: str
    point: tuple[tuple[str, Scalar], ...]
    """Where it stands in the matrix: axes with their values, in the order of the suite."""
    typed: Settings
    """The settings, as the measure's own class validated them."""

    @cached_property
    def axes(self) -> dict[str, Scalar]:
        """The point of the matrix by axis."""
        return dict(self.point)

    @cached_property
    def settings(self) -> dict[str, Scalar]:
        """The settings as plain values, as a run folder keeps them."""
        return self.typed.model_dump(mode="json")

    def at(self, **changed: Scalar) -> Cell:
        """The same cell with other values on some axes."""
        return replace(self, point=tuple({**self.axes, **changed}.items()))

    @property
    def title(self) -> str:
        """How a person names it: `smollm2 int8 inference batch=8`."""
        defaults = MEASURES[self.measure].settings.model_fields
        axes = [str(value) if name == "precision" else axis_text(name, value) for name, value in self.axes.items()]
        changed = [
            f"{name}={value}"
            for name, value in self.settings.items()
            if name not in ("text",) and value != defaults[name].default
        ]
        return " ".join([self.model, *axes, self.measure, *changed])

    @property
    def trained_model(self) -> str:
        """The model, and which of its trainings: `nano seed=1 compute=1e12`."""
        return " ".join([self.model, *(axis_text(axis, self.axes[axis]) for axis in TRAINED_AXES if axis in self.axes)])


def axis_text(name: str, value: Scalar) -> str:
    """A point of an axis as a person writes it: `seed=1`, `compute=3e11`."""
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{name}=" + re.sub(r"e\+?(-?)0*", r"e\1", f"{value:g}")
    return f"{name}={value}"


class WrongSettings(UserError):
    """Settings that measures refuse, and the cells of the others."""

    def __init__(self, message: str, others: tuple[Cell, ...]) -> None:
        super().__init__(message)
        self.others = others


def cells(suite: Suite, document: Document | None = None) -> list[Cell]:
    """All cells of a suite, each once. Raises WrongSettings for those that the measure refuses, with their lines where
    the document is given that the suite was read from."""
    found: dict[Cell, None] = {}
    _refuse_too_many(suite, document)
    wrong: list[str] = []
    for number, entry in enumerate(suite.measures):
        settings = _settings(number, entry.measure, entry.settings, document, wrong)  # type: ignore[attr-defined]
        for name in entry.models or list(suite.models):  # type: ignore[attr-defined]
            for point in _product(_axes_of(suite, name, entry)):
                for typed in settings:
                    found[Cell(name, entry.measure, tuple(point.items()), typed)] = None  # type: ignore[attr-defined]
    if wrong:
        raise WrongSettings("\n".join(dict.fromkeys(wrong)), tuple(found))
    return list(found)


def _refuse_too_many(suite: Suite, document: Document | None) -> None:
    """Raises UserError where the matrix makes more cells than anyone runs: counted before they are made."""
    count = 0
    for number, entry in enumerate(suite.measures):
        settings = _points(_swept(entry.measure, entry.settings))  # type: ignore[attr-defined]
        for name in entry.models or list(suite.models):  # type: ignore[attr-defined]
            count += settings * _points(_axes_of(suite, name, entry))
        if count > MOST_CELLS:
            key = f"measures.{number}"
            raise UserError(
                f"{'' if document is None else key + ': '}the axes and settings make {shown(f'{count:,}')} cells up to "
                f"here, and {MOST_CELLS:,} is the most; take values off an axis, or split the suite",
                place=key if document is None else document.place(("measures", number)),
            )


def _axes_of(suite: Suite, name: str, entry: Any) -> dict[str, list[Any]]:
    """The axes of a model under an entry of `measures`."""
    axes = _axes(suite.matrix, suite.models[name].matrix, entry.matrix)
    if not suite.models[name].settings.is_trained_here:
        for axis in TRAINED_AXES:
            axes.pop(axis, None)
    return axes


def _axes(*matrices: Matrix) -> dict[str, list[Any]]:
    axes = dict(DEFAULT_AXES)
    for matrix in matrices:
        axes.update(matrix.axes())
    return axes


def _points(axes: dict[str, list[Any]]) -> int:
    return math.prod([len(values) for values in axes.values()])


def _product(axes: dict[str, list[Any]]) -> list[dict[str, Scalar]]:
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def _settings(number: int, measure: str, swept: Any, document: Document | None, wrong: list[str]) -> list[Settings]:
    """Every combination of the swept settings, validated by the measure's own class; what it refuses is added to
    `wrong`, as sentences with their places."""
    points = []
    for point in _product(_swept(measure, swept)):
        try:
            points.append(MEASURES[measure].settings.model_validate(point))
        except ValidationError as error:
            wrong += sentences_of(document or Document({}), error, ("measures", number, measure))
    return points


def _swept(measure: str, swept: Any) -> dict[str, list[Any]]:
    """Each setting of a measure with its values."""
    values = {name: getattr(swept, name) for name in SWEEPABLE[measure].model_fields}
    return {name: value if isinstance(value, list) else [value] for name, value in values.items()}
