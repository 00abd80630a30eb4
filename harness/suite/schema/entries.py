"""Entries of `measures` and `analyse`: one measure or analysis each, with its settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from harness.analysis.registry import ANALYSES
from harness.measures.registry import MEASURES
from harness.strict_entry import Composed, Strict, not_twice
from harness.suite.schema.matrix import Matrix


def sweepable(settings: type[BaseModel]) -> type[BaseModel]:
    """The settings class with `T | list[T]` for every field: in a suite, a list is an axis."""
    fields: dict[str, Any] = {}
    for name, info in settings.model_fields.items():
        one: Any = info.annotation
        if info.metadata:
            one = Annotated[(one, *info.metadata)]
        default = ... if info.is_required() else info.get_default(call_default_factory=True)
        several = Annotated[list[one], Field(min_length=1), AfterValidator(not_twice)]
        fields[name] = (one | several, Field(default, description=info.description))
    return create_model(f"{settings.__name__}InSuite", __base__=Composed, **fields)


SWEEPABLE = {name: sweepable(measure.settings) for name, measure in MEASURES.items()}


def _refuse_nothing(name: str, given: BaseModel | None, settings: type[BaseModel]) -> None:
    """A measure or analysis without settings (`- task:`) has its defaults, where all of its settings have one."""
    wanted = [key for key, info in settings.model_fields.items() if info.is_required()]
    if given is None and wanted:
        raise PydanticCustomError(
            "no_settings", "{name} needs settings: {wanted}", {"name": name, "wanted": ", ".join(wanted), "key": name}
        )


class _MeasureEntry(Strict):
    """One measure with its settings, and where it applies."""

    models: Annotated[list[str], Field(min_length=1), AfterValidator(not_twice)] | None = None
    """The models it applies to; left out, all."""
    matrix: Matrix = Matrix()
    """Axes that differ for this measure alone."""

    @model_validator(mode="after")
    def _one_measure(self) -> _MeasureEntry:
        given = [name for name in MEASURES if name in self.model_fields_set]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_measure",
                "an entry names exactly one measure: one of {measures}",
                {"measures": ", ".join(MEASURES)},
            )
        _refuse_nothing(given[0], getattr(self, given[0]), SWEEPABLE[given[0]])
        return self

    @property
    def measure(self) -> str:
        """Name of the measure."""
        return next(name for name in MEASURES if name in self.model_fields_set)

    @property
    def settings(self) -> BaseModel:
        """Its settings, lists where they are swept."""
        return getattr(self, self.measure) or SWEEPABLE[self.measure]()


class _AnalysisEntry(Strict):
    """One analysis with its settings."""

    @model_validator(mode="after")
    def _one_analysis(self) -> _AnalysisEntry:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError(
                "one_analysis",
                "an entry names exactly one analysis: one of {analyses}",
                {"analyses": ", ".join(ANALYSES)},
            )
        _refuse_nothing(self.analysis, getattr(self, self.analysis), ANALYSES[self.analysis].settings)
        return self

    @property
    def analysis(self) -> str:
        """Name of the analysis."""
        return next(iter(self.model_fields_set))

    @property
    def settings(self) -> BaseModel:
        """Its settings."""
        return getattr(self, self.analysis) or ANALYSES[self.analysis].settings()


def _entry(base: type[BaseModel], name: str, parts: dict[str, tuple[type[BaseModel], str]]) -> Any:
    fields: dict[str, Any] = {
        part: (kind | None, Field(None, description=about)) for part, (kind, about) in parts.items()
    }
    return create_model(name, __base__=(base, Composed), **fields)


MeasureEntry = _entry(
    _MeasureEntry, "MeasureEntry", {name: (SWEEPABLE[name], measure.about) for name, measure in MEASURES.items()}
)
AnalysisEntry = _entry(
    _AnalysisEntry, "AnalysisEntry", {name: (item.settings, item.about) for name, item in ANALYSES.items()}
)
