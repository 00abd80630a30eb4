"""A whole suite, and what must hold across its parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.comparison.expectation import Expectation
from harness.comparison.gate_entry import GateEntry
from harness.errors import UserError, shown
from harness.limits import MOST_TOKENS_IN_ALL
from harness.measures.registry import metrics
from harness.spelling import nearest, nearest_words
from harness.strict_entry import PathText, Strict, as_list
from harness.strict_models import constructed
from harness.suite.schema.call_entry import CallEntry
from harness.suite.schema.entries import AnalysisEntry, MeasureEntry
from harness.suite.schema.matrix import Matrix
from harness.suite.schema.model_entry import ModelEntry, ModelName, Name
from harness.suite.schema.side_by_side import SideBySide, why_not_side_by_side

Told = Iterator[tuple[tuple[str | int, ...], str]]
"""What is wrong across parts: the path of each, and a sentence."""


class Tasks(Strict):
    """Where tasks and their documents are found."""

    paths: Annotated[list[PathText], BeforeValidator(as_list)] = Field(default=[])
    """Folders of task files (lm-evaluation-harness' YAML). The tasks that ship are found without."""
    data: dict[str, PathText | dict[str, PathText]] = Field(default={})
    """Local data in place of a task's `dataset_path` (or `dataset_path/dataset_name`): a file or a folder, in which
    `{name}` and `{split}` may stand, or a file for each split."""


def _told(kind: object, data: dict[str, Any], error: Exception) -> str:
    """Every mistake of a suite that is constructed, as of one that is read."""
    from harness.suite.document import document_of
    from harness.suite.mistakes import validated

    try:
        validated(document_of(data, "suite"))
    except UserError as told:
        return str(told)
    return str(error)


@constructed(_told)
class Suite(Strict):
    """A suite: which models, over which axes, which measures, which analyses, what is expected."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Letters, digits, dots, dashes and underscores: it names the run folder."""
    about: str = ""
    include: list[str] | str | None = Field(default=None, exclude=True)
    """Suite files to build on, relative to this one; this file wins."""
    models: dict[ModelName, ModelEntry] = Field(default={})
    """Left out where only analyses are wanted that need no measurement: of published data, and of assumptions."""
    matrix: Matrix = Matrix()
    measures: list[MeasureEntry] = Field(default=[])  # type: ignore[valid-type]
    side_by_side: SideBySide | None = None
    """Compare the models and precisions of the measure `inference`, each with the first one, turn by turn: how much
    time one takes of the other's, with an interval."""
    tasks: Tasks = Tasks()
    analyse: list[AnalysisEntry] = Field(default=[])  # type: ignore[valid-type]
    expect: list[Expectation] = Field(default=[])
    gate: list[GateEntry] = Field(default=[])
    """What `harness gate` judges against a baseline; of cells it is no part, so that it may change without one."""

    calls: dict[Name, CallEntry] = Field(default={})
    """Functions of the project that `harness ci` compares with what they were, by name; `harness run` passes them
    over."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Suite:
        """What must hold across parts, and each that doesn't at once: (path, sentence)."""
        told = [
            *self._something_to_do(),
            *self._metrics_exist(),
            *self._one_budget_each(),
            *self._measures_narrow_budgets(),
            *self._budgets_end(),
            *self._models_exist(),
            *self._can_stand_side_by_side(),
        ]
        if told:
            text = "; ".join(sentence for _, sentence in told)
            raise PydanticCustomError("several", "{text}", {"text": text, "told": told})
        return self

    def _something_to_do(self) -> Told:
        if not self.measures and not self.analyse and not self.calls:
            yield (), "a suite needs `models` and `measures`, or something to `analyse`, or `calls`"
        elif self.measures and not self.models:
            yield (), "`measures` need `models` to measure"

    def _metrics_exist(self) -> Told:
        known = list(dict.fromkeys(metric.name for metric in metrics()))
        named: list[tuple[tuple[str | int, ...], str | None]] = [
            *((("expect", number, "metric"), one.metric) for number, one in enumerate(self.expect)),
            *((("gate", number, "metric"), one.metric) for number, one in enumerate(self.gate)),
            *(
                (("gate", number, "guarded_by", place), guard.metric)
                for number, one in enumerate(self.gate)
                for place, guard in enumerate(one.guards)
            ),
        ]
        for path, metric in named:
            name = (metric or "").partition("@")[0]
            if metric is not None and name not in known:
                near = ", ".join(nearest_words(name, known))
                few = f"near it are {near}; " if near else ""
                yield (
                    path,
                    f"no measure emits the metric '{shown(name)}'{nearest(name, known)}; {few}all of them: "
                    "`harness list measures`",
                )

    def _one_budget_each(self) -> Told:
        """Every training has exactly one budget: `tokens`, `steps`, or the axis `compute`."""
        for name, model in self.models.items():
            own = model.matrix.compute
            if not model.settings.is_trained_here:
                if own is not None:
                    yield (
                        ("models", name, "matrix", "compute"),
                        "`compute` is a budget of training, and this model has no `train`",
                    )
                continue
            compute = own or self.matrix.compute
            if model.settings.has_budget and compute is not None:
                yield (
                    ("models", name, "train"),
                    "this training has `tokens` or `steps`, and the axis `compute` as well; keep one "
                    "(`matrix: {compute: ...}` may stand under the models alone that it is for)",
                )
            if not model.settings.has_budget and compute is None:
                yield (
                    ("models", name, "train"),
                    "a training needs a budget: `tokens`, or `steps`, or the axis `compute` in the matrix",
                )

    def _measures_narrow_budgets(self) -> Told:
        """A measure's own matrix may choose among budgets; it can't give one to a training that has another."""
        for number, entry in enumerate(self.measures):
            if entry.matrix.compute is None:  # type: ignore[attr-defined]
                continue
            for name in entry.models or self.models:  # type: ignore[attr-defined]
                if name in self.models and self.models[name].settings.has_budget:
                    yield (
                        ("measures", number, "matrix", "compute"),
                        f"the training of '{name}' has `tokens` or `steps`, so it has no axis `compute`; name the "
                        "models that this measure is for (`models: [...]`)",
                    )

    def _budgets_end(self) -> Told:
        """No budget that pays for more tokens than anyone trains on."""
        places: list[tuple[tuple[str | int, ...], Matrix, Any]] = [(("matrix", "compute"), self.matrix, self.models)]
        places += [(("models", name, "matrix", "compute"), model.matrix, [name]) for name, model in self.models.items()]
        places += [
            (("measures", number, "matrix", "compute"), entry.matrix, entry.models or self.models)  # type: ignore[attr-defined]
            for number, entry in enumerate(self.measures)
        ]
        for path, matrix, names in places:
            largest = max(matrix.compute or [0.0])
            trained = [self.models[name] for name in names if name in self.models]
            sizes = [size for model in trained if largest and (size := model.settings.parameters())]
            if sizes and (tokens := largest / (6 * min(sizes))) > MOST_TOKENS_IN_ALL:
                yield (
                    path,
                    f"a budget of {largest:g} FLOPs pays for {tokens:.3g} tokens of a model of {min(sizes):,} "
                    f"parameters, and {MOST_TOKENS_IN_ALL:,} is the most; lower it",
                )

    def _can_stand_side_by_side(self) -> Told:
        if self.side_by_side is not None:
            yield from why_not_side_by_side(self.models, self.matrix, self.measures)

    def _models_exist(self) -> Told:
        for number, entry in enumerate(self.measures):
            for position, name in enumerate(entry.models or []):  # type: ignore[attr-defined]
                if name not in self.models:
                    yield (
                        ("measures", number, "models", position),
                        f"the suite has no model '{shown(name)}'{nearest(name, self.models)}; it has: "
                        f"{', '.join(self.models)}",
                    )
