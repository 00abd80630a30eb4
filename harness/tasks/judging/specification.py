"""How a task's items become numbers, as plain data: it is stored with a run, so that the run can be summed up again
without the task's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.mode import Mode
from harness.results.record import Direction, Metric
from harness.tasks.config import Function, MetricConfig, TaskConfig
from harness.tasks.judging import filter_check
from harness.tasks.judging.metric_table import BUILT_IN, DEFAULTS, IN_PASSING, LM_EVAL_HIGHER_IS_BETTER, VERSION
from harness.tasks.judging.rules import refusal_error

_FAILURES = ("extraction_failure", "sample_extraction_failure")


def key_of(metric: str, pipeline: str) -> str:
    """The key of an item: lm-eval writes `metric,pipeline`."""
    return metric if pipeline == "none" else f"{metric}/{pipeline}"


def specification(config: TaskConfig, *, mode: Mode = "right") -> dict[str, Any]:
    """How the items of this task become numbers, as JSON: what `aggregate.summarize` needs beside the items."""
    metrics: dict[str, dict[str, Any]] = {}
    if mode == "right":
        for name in (*in_passing(config), *(_FAILURES if config.output_type == "generate_until" else ())):
            metrics[name] = {
                "aggregation": default_aggregation(name, config, mode),
                "direction": BUILT_IN[name].metric.direction.value,
                "listed": False,
            }
    for listed in listed_metrics(config):
        name = listed.metric.name if isinstance(listed.metric, Function) else listed.metric
        built_in = BUILT_IN.get(name) if isinstance(listed.metric, str) else None
        named = listed.aggregation
        aggregation: str = (
            "function" if isinstance(named, Function) else named or default_aggregation(name, config, mode)
        )
        own = isinstance(named, Function)
        if mode == "right" and name == "brier_score" and config.process_results is None and not own:
            aggregation = "mean"
        better = listed.higher_is_better
        direction = (
            (built_in.metric.direction if built_in else Direction.NONE) if better is None else _direction(better)
        )
        metrics[name] = {"aggregation": aggregation, "direction": direction.value, "listed": True}
        if isinstance(listed.metric, Function):
            metrics[name]["function"] = True
        if aggregation == "corrected_share":
            metrics[name]["errors"] = refusal_error.counts()
        if mode == "lm-eval":
            is_said = "higher_is_better" in listed.model_fields_set
            metrics[name]["higher_is_better"] = better if is_said else LM_EVAL_HIGHER_IS_BETTER.get(name)
    return {
        "task": config.task,
        "file": str(config.file),
        "mode": mode,
        "metrics": metrics,
        "pipelines": [pipeline.name for pipeline in config.filter_list or (filter_check.DEFAULT,)],
        "builtin": config.process_results is None,
    }


def keys_to_come(config: TaskConfig, *, mode: Mode = "right") -> dict[str, bool] | None:
    """The keys that the items of this task will have, and whether its file lists them; None where only code of the
    file knows."""
    spec = specification(config, mode=mode)
    if not spec["builtin"] or any(isinstance(listed.metric, Function) for listed in listed_metrics(config)):
        return None
    names = {name: bool(entry["listed"]) for name, entry in spec["metrics"].items()}
    for listed in listed_metrics(config):
        if listed.metric == "pass@k" and names.pop("pass@k", False):
            counts = listed.options.get("k", [1])
            names |= {f"pass@{k}": True for k in ([counts] if isinstance(counts, int) else counts)}
    return {key_of(name, pipeline): listed for pipeline in spec["pipelines"] for name, listed in names.items()}


def name_of(key: str, spec: Mapping[str, Any]) -> tuple[str, str]:
    """(metric, pipeline) of a key."""
    for pipeline in spec["pipelines"]:
        if pipeline != "none" and key.endswith(f"/{pipeline}"):
            return key[: -len(pipeline) - 1], pipeline
    return key, "none"


def entry_of(key: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the specification says of a key's metric: `pass@1` is of `pass@k`; an unlisted one is a mean."""
    name, _ = name_of(key, spec)
    if name in spec["metrics"]:
        return spec["metrics"][name]  # type: ignore[no-any-return]
    if name.startswith("pass@") and "pass@k" in spec["metrics"]:
        return spec["metrics"]["pass@k"]  # type: ignore[no-any-return]
    return {"aggregation": "mean", "direction": Direction.NONE.value, "listed": False}


def declared(key: str, spec: Mapping[str, Any]) -> Metric:
    """The declaration of a key's metric: a built-in one's, or what the task file says of its own.

    What a function of the file sums up is its own metric, whatever its name.
    """
    name, _ = name_of(key, spec)
    direction = Direction(entry_of(key, spec)["direction"])
    aggregation = entry_of(key, spec)["aggregation"]
    if spec["builtin"] and aggregation != "function":
        if name in BUILT_IN:
            return BUILT_IN[name].metric
        if name.startswith("pass@") and "pass@k" in spec["metrics"]:
            return BUILT_IN["pass@k"].metric.model_copy(update={"name": name})
    how = "a function of the task file" if aggregation == "function" else aggregation
    return Metric(
        name=name,
        version=VERSION,
        unit="score",
        direction=direction,
        definition=f"As the task file of `{spec['task']}` defines it, over documents: {how}.",
    )


def in_passing(config: TaskConfig) -> tuple[str, ...]:
    """What one pass gives beside what the task lists, in mode right; nothing where no choice is right or wrong."""
    preference = any(listed.metric == "stereotype_preference" for listed in config.metric_list or ())
    return () if config.process_results is not None or preference else IN_PASSING[config.output_type]


def listed_metrics(config: TaskConfig) -> tuple[MetricConfig, ...]:
    """The metrics that a task lists, or lm-eval's for its output type."""
    if config.metric_list is not None:
        return config.metric_list
    return tuple(MetricConfig(metric=name) for name in DEFAULTS[config.output_type])


def judges_programs(config: TaskConfig) -> bool:
    """Whether an answer is a program and the target its test."""
    return any(listed.metric == "pass@k" for listed in config.metric_list or ())


def default_aggregation(name: str, config: TaskConfig, mode: Mode) -> str:
    """How a metric's items are summed up where the task file doesn't say."""
    if name == "bypass":
        return "bypass"
    if name == "f1" and config.output_type == "generate_until":
        return "mean"
    if name == "brier_score" and mode == "right":
        return "mean"
    return BUILT_IN[name].aggregation if name in BUILT_IN else "mean"


def _direction(higher_is_better: bool) -> Direction:
    return Direction.HIGHER if higher_is_better else Direction.LOWER
