"""Every measure by its name in a suite, and every metric by its name in a record. Imports no torch.

A new measure of ours is one file and one line here; one of another package is an entry point `harness.measures`.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import PurePath
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, Field, InstanceOf

from harness.errors import UserError
from harness.measures import side_by_side
from harness.measures.activations import ACTIVATIONS
from harness.measures.alignment import ALIGNMENT
from harness.measures.alignment_speed import ALIGNMENT_SPEED
from harness.measures.cost import Passes
from harness.measures.diversity import DIVERSITY
from harness.measures.fidelity import FIDELITY
from harness.measures.in_context import IN_CONTEXT
from harness.measures.in_context_regression import IN_CONTEXT_REGRESSION
from harness.measures.inference import INFERENCE
from harness.measures.kv_cache import KV_CACHE
from harness.measures.measure import Measure, Settings
from harness.measures.memory import MEMORY
from harness.measures.other_tools import OTHER_TOOLS
from harness.measures.pairs.preference import PREFERENCE
from harness.measures.pairs.reward_model import REWARD_MODEL
from harness.measures.perplexity import PERPLEXITY
from harness.measures.probe import PROBE
from harness.measures.responses.responses import RESPONSES
from harness.measures.responses.win_rate import WIN_RATE_MEASURE
from harness.measures.task.measure import TASK
from harness.measures.training import TRAINING
from harness.measures.training_speed import TRAINING_SPEED
from harness.models.adapter import Capability
from harness.plugins import RESERVED, with_plugins
from harness.promises import Promises, afresh
from harness.results.record import AXES, Metric, Record

OURS: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        PERPLEXITY,
        TASK,
        FIDELITY,
        PROBE,
        INFERENCE,
        MEMORY,
        DIVERSITY,
        KV_CACHE,
        TRAINING,
        ALIGNMENT,
        ALIGNMENT_SPEED,
        PREFERENCE,
        REWARD_MODEL,
        RESPONSES,
        WIN_RATE_MEASURE,
        TRAINING_SPEED,
        ACTIVATIONS,
        IN_CONTEXT,
        IN_CONTEXT_REGRESSION,
    )
}


_Metric = Annotated[Metric, BeforeValidator(afresh)]

PROMISES = Promises(
    fields={
        **{"version": int, "about": str, "settings": type[Settings], "metrics": tuple[_Metric, ...]},
        "fills": tuple[tuple[str, ...], ...],
        **dict.fromkeys(("isolated", "needs_peaks", "times_training", "undeclared_metrics"), bool),
        **dict.fromkeys(("collect", "summarize", "resolved"), Callable),
    },
    gives={
        **{"check": Any, "texts": tuple[str, ...], "tasks": tuple[str, ...], "notes": tuple[str, ...]},
        **{"needs": Mapping[Capability, str], "passes": InstanceOf[Passes]},
        "seconds": Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    },
)
"""Of a plugin's measure."""


def _why_not(measure: Measure, before: Mapping[str, Measure]) -> str | None:
    """Why a plugin's measure can't stand beside the others: names that a table of records needs for itself."""
    if clash := sorted(set(measure.settings.model_fields) & {*Record.model_fields, *AXES, *RESERVED}):
        return f"has settings whose names are taken by axes and columns of records: {', '.join(clash)}"
    if lists := [name for name, info in measure.settings.model_fields.items() if not _one_value(info.annotation)]:
        return (
            f"has settings that aren't one value each: {', '.join(lists)}; in a suite a list is an axis, so a setting "
            "is a text, a number, true or false"
        )
    names = [metric.name for metric in measure.metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"declares metrics twice: {', '.join(twice)}"
    known = {metric.name: name for name, other in before.items() for metric in other.metrics}
    taken = [f"{metric.name} (of {known[metric.name]})" for metric in measure.metrics if metric.name in known]
    return f"has metrics whose names are taken: {', '.join(taken)}" if taken else None


def _one_value(annotation: Any) -> bool:
    """Whether a setting of this type is one plain value, whatever is chosen."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, str | int | float | Enum | PurePath | type(None))
    if get_origin(annotation) is Literal:
        return True
    if get_origin(annotation) is Annotated:
        return _one_value(get_args(annotation)[0])
    return get_origin(annotation) in (Union, UnionType) and all(map(_one_value, get_args(annotation)))


MEASURES = with_plugins("harness.measures", Measure, OURS, PROMISES, _why_not)
"""Those that ship and those of plugins, by name."""


NO_SUITE_ASKS = {**OTHER_TOOLS, side_by_side.NAME: side_by_side.METRICS}
"""Metrics of cells that no suite asks for, by the name that stands in the place of a measure."""


def metrics() -> list[Metric]:
    """Every declared metric, in the order of the measures."""
    return [metric for measure in MEASURES.values() for metric in measure.metrics]


def metric(name: str) -> Metric:
    """The metric of this name (`tpot`) or id (`tpot@1`), of whichever measure. Raises UserError if there is none."""
    for declared in metrics():
        if name in (declared.name, declared.id):
            return declared
    known = ", ".join(sorted({declared.name for declared in metrics()}))
    raise UserError(f"no metric is called '{name}'; there are {known}")


def metrics_of(measure: str) -> tuple[Metric, ...]:
    """What a measure declares, one of ours, of a plugin, of another tool whose files were imported or of models side by
    side; nothing where it is not installed."""
    return MEASURES[measure].metrics if measure in MEASURES else NO_SUITE_ASKS.get(measure, ())


def declared(record: Record) -> Metric | None:
    """The declaration of a record's metric; None where its measure declares none of that name: a task file's own
    metric, a counter of another tool's benchmark, or a measure that is not installed."""
    return next((metric for metric in metrics_of(record.measure) if metric.name == record.metric), None)
