"""What a task file says about its metrics, looked at before a model runs."""

from __future__ import annotations

import re

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.config import Function, MetricConfig, TaskConfig
from harness.tasks.judging import filter_check
from harness.tasks.judging.generation_scores import passed_through
from harness.tasks.judging.metric_table import AGGREGATIONS, BUILT_IN, NOT_OF_LM_EVAL
from harness.tasks.judging.specification import listed_metrics


def check(config: TaskConfig, *, mode: Mode = "right", allow_code_execution: bool = False) -> None:
    """Raise UserError for metrics, aggregations, filters and arguments that are unknown: before a model runs."""
    filter_check.check(config)
    place = f"{config.file}:metric_list"
    for listed in listed_metrics(config):
        if isinstance(listed.aggregation, str) and listed.aggregation not in AGGREGATIONS:
            raise UserError(
                f"unknown aggregation `{listed.aggregation}`{nearest(listed.aggregation, AGGREGATIONS)}",
                place=place,
            )
        if config.process_results is None and isinstance(listed.metric, str):
            _check_built_in(listed, listed.metric, config, mode, place)
            if listed.metric == "pass@k" and not allow_code_execution:
                raise UserError(
                    "`pass@k` runs code that a model wrote: allow it with --allow-code-execution", place=place
                )
            if listed.metric == "pass@k":
                _check_programs(listed, config, place)
    if config.output_type != "generate_until":
        for pipeline in config.filter_list or ():
            if any(step.function != "take_first" for step in pipeline.steps):
                raise UserError(
                    f"filters work on generated texts, and `{config.output_type}` has none",
                    place=f"{config.file}:filter_list",
                )


def _check_programs(listed: MetricConfig, config: TaskConfig, place: str) -> None:
    wanted = listed.options.get("k", [1])
    most = max([wanted] if isinstance(wanted, int) else wanted, default=1)
    for pipeline in config.filter_list or (filter_check.DEFAULT,):
        left = filter_check.left(pipeline, config.repeats)
        if left is not None and left < most:
            fix = (
                f"set `samples: {most}`"
                if config.repeats < most
                else "give the task a `filter_list` whose pipelines keep them: without one, the first sample is taken"
            )
            raise UserError(
                f"pass@{most} needs {most} samples, and of {config.repeats} the pipeline `{pipeline.name}` leaves "
                f"{left}; {fix}",
                place=place,
            )


def names_of(config: TaskConfig) -> set[str]:
    """The metrics that a task lists, by name."""
    return {
        listed.metric if isinstance(listed.metric, str) else listed.metric.name for listed in listed_metrics(config)
    }


def _check_built_in(listed: MetricConfig, name: str, config: TaskConfig, mode: Mode, place: str) -> None:
    fitting = [known for known, built_in in BUILT_IN.items() if config.output_type in built_in.outputs]
    written = config.output_type == "generate_until"
    if name == "bypass" or (written and passed_through(listed)):
        return
    if name not in fitting:
        hint = nearest(name, fitting)
        if not hint and written:
            hint = "; metrics of the library `evaluate` are not here: write it as `metric: !function file.name`"
        raise UserError(f"unknown metric `{name}` of {config.output_type}{hint}", place=place)
    if name == "likelihood" and mode == "lm-eval" and not isinstance(listed.aggregation, Function):
        raise UserError("lm-eval can't sum up `likelihood` itself (a mean of tuples): use mode right", place=place)
    if name in NOT_OF_LM_EVAL and mode == "lm-eval":
        raise UserError(f"lm-eval knows no `{name}`: use mode right", place=place)
    if not written or listed.hf_evaluate:
        return  # lm-eval takes and ignores arguments there
    for option in listed.options:
        if option not in BUILT_IN[name].options:
            raise UserError(
                f"metric `{name}` takes no `{option}`{nearest(option, BUILT_IN[name].options)}", place=place
            )
    _check_patterns(listed, place)


def _check_patterns(listed: MetricConfig, place: str) -> None:
    patterns = listed.options.get("regexes_to_ignore") or ()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise UserError(f"`{pattern}` is not a valid regular expression: {error}", place=place) from None
