"""A suite's `side_by_side:`: the models and precisions of its `inference` measure, each beside the first one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from harness.limits import MOST_LAUNCHES
from harness.strict_entry import Strict
from harness.suite.schema.matrix import Matrix
from harness.suite.schema.model_entry import ModelEntry

MEASURE = "inference"
LAUNCHES = 6
"""The fewest that give an interval of 95 %: each is a process of both, and every second one measures the base against
itself, too."""


class SideBySide(Strict):
    """Beside its cells a run compares each model and precision with the first one, turn by turn."""

    launches: int = Field(default=LAUNCHES, ge=1, le=MOST_LAUNCHES)
    """Processes of both in each comparison; 6 give an interval."""


def why_not_side_by_side(
    models: Mapping[str, ModelEntry], matrix: Matrix, measures: Sequence[Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What of a suite can't be compared so, with its path: one kind of work, and models that differ in nothing but
    their entry and their precision."""
    asked = [(number, entry) for number, entry in enumerate(measures) if entry.measure == MEASURE]
    if len(asked) != 1:
        has = "none" if not asked else len(asked)
        yield ("side_by_side",), f"it compares the models of the one measure `{MEASURE}`, and the suite has {has}"
        return
    [(number, entry)] = asked
    place = ("measures", number)
    for key, value in entry.settings:
        if key != "batch" and isinstance(value, list):
            yield (*place, MEASURE, key), "`side_by_side` compares at one value of it (of `batch` at each): keep one"
    axes: dict[tuple[str | int, ...], Any] = {("matrix", axis): values for axis, values in matrix.axes().items()}
    axes |= {(*place, "matrix", axis): values for axis, values in entry.matrix.axes().items()}
    named = [name for name in entry.models or models if name in models]
    for name in named:
        if not models[name].adapter.in_process:
            axes |= {("models", name, "matrix", axis): values for axis, values in models[name].matrix.axes().items()}
    for path, values in axes.items():
        axis = path[-1]
        if axis in ("seed", "compute"):
            yield path, f"`side_by_side` compares models by their entries: give `{axis}` no axis here"
        elif len(path) > 2:
            yield path, "`side_by_side` compares at the axes of the whole suite: put it into the suite's `matrix`"
        elif axis != "precision" and len(values) > 1:
            yield path, "`side_by_side` compares at one value of it: keep one"
    if sum(1 if models[name].adapter.in_process else len(matrix.precision or [1]) for name in named) < 2:
        yield ("side_by_side",), "there is one model at one precision, and nothing to compare it with: remove it"
