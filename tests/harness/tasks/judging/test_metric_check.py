"""What a task file says about its metrics is looked at before a model runs."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep, Function, MetricConfig, TaskConfig
from harness.tasks.judging import metric_check


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


def listed(*names: str | Function, **options: Any) -> tuple[MetricConfig, ...]:
    return tuple(MetricConfig(metric=name, options=options) for name in names)


def named(name: str) -> Function:
    return Function(file=Path("utils.py"), name=name)


STRICT = FilterPipeline(
    name="strict-match",
    steps=(FilterStep(function="regex", options={"regex_pattern": "#### ([0-9]+)"}), FilterStep(function="take_first")),
)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"metric_list": listed("exact_mach")}, "did you mean 'exact_match'"),
        ({"metric_list": listed("rouge")}, "!function"),
        ({"metric_list": listed("acc_norm")}, "of generate_until"),
        ({"metric_list": listed("exact_match", ignore_cases=True)}, "did you mean 'ignore_case'"),
        ({"metric_list": (MetricConfig(metric="exact_match", aggregation="maen"),)}, "did you mean 'mean'"),
        ({"output_type": "multiple_choice", "filter_list": (STRICT,)}, "filters work on generated texts"),
    ],
)
def test_mistakes_are_named_before_a_model_runs(keys: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        metric_check.check(config(**keys))


@pytest.mark.parametrize(
    ("k", "repeats", "steps", "message"),
    [
        ([1, 10], 3, None, "set `samples: 10`"),
        ([1, 2], 2, None, "the pipeline `none` leaves 1; give the task a `filter_list`"),
        (2, 4, ["lowercase"], None),
    ],
)
def test_too_few_programs_are_named_before_a_model_runs(k: Any, repeats: int, steps: Any, message: str | None) -> None:
    pipelines = steps and (FilterPipeline(name="p", steps=tuple(FilterStep(function=step) for step in steps)),)
    task = config(metric_list=listed("pass@k", k=k), repeats=repeats, filter_list=pipelines)
    if message is None:
        metric_check.check(task, allow_code_execution=True)
    else:
        with pytest.raises(UserError, match=message):
            metric_check.check(task, allow_code_execution=True)


def test_arguments_that_lm_eval_ignores_are_no_mistake() -> None:
    metric_check.check(
        config(output_type="multiple_choice", metric_list=listed("acc", "f1", ignore_case=True, average="weighted"))
    )
    metric_check.check(config(process_results=named("judge"), metric_list=listed("anything")))


def test_a_pattern_to_ignore_that_is_none_is_told() -> None:
    with pytest.raises(UserError, match=r"`\(` is not a valid regular expression"):
        metric_check.check(config(metric_list=listed("exact_match", regexes_to_ignore=["("])))
