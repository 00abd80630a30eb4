"""What a task file may say: lm-evaluation-harness' keys, and three of our own (`reasoning`, `cluster`, `chance`).

A `TaskConfig` is one task after its includes were merged. Functions that a file names with `!function` are `Function`s:
where they are, not yet loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.strict_models import Written

OutputType = Literal["multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until"]
Reasoning = Literal["direct", "cot"]
"""direct: the bare answer. cot: chain of thought, the steps before the answer."""


class Function(Written):
    """A Python function beside a task file: the file that holds it and its name. `functions.Modules` loads it."""

    file: Path
    name: str


LoadFunction = Callable[[Function, str], Callable[..., Any]]
"""(function, key that names it) -> the function, loaded: `Task.function`. Raises UserError where it may not run."""
MOST_DRAWN = 100_000
"""Answers to one document, and few-shot examples before one."""
Template = str | int | list[Any] | dict[str, Any] | Function
"""A column's name, a jinja template, a fixed value, or a function of the document."""


class FewshotConfig(Written):
    """How few-shot examples are chosen and shown, where it differs from the documents that are asked."""

    sampler: str | Function | None = None
    """random (or default), first_n, balanced (in turn from every class), fixed (`samples`)."""
    split: str | None = None
    process_docs: Function | None = None
    fewshot_indices: list[int] | None = None
    samples: list[dict[str, Any]] | Function | None = None
    """The few-shot examples themselves."""
    same: str | None = None
    """Ours: column or template: only examples are drawn whose value is the document's."""
    doc_to_text: Template | None = None
    doc_to_target: Template | None = None
    doc_to_choice: Template | None = None
    gen_prefix: str | None = None
    fewshot_delimiter: str | None = None
    target_delimiter: str | None = None


class MetricConfig(Written):
    """One entry of `metric_list`."""

    metric: str | Function
    aggregation: str | Function | None = None
    higher_is_better: bool | None = None
    hf_evaluate: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    """Every other key: arguments of the metric, such as `ignore_case` or `regexes_to_ignore`."""


class FilterStep(Written):
    """One step of a filter pipeline."""

    function: str | Function
    right: dict[str, Any] = Field(default_factory=dict)
    """Ours: arguments that differ in mode right, where a file has lm-eval's own in mode lm-eval."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Every other key: its arguments."""


class FilterPipeline(Written):
    """One entry of `filter_list`: what is made of an answer before it is judged."""

    name: str
    steps: tuple[FilterStep, ...]
    """`filter` in the file."""


class TaskConfig(Written):
    """One task."""

    task: str
    file: Path
    """The file that declares it."""
    task_alias: str | None = None
    tag: tuple[str, ...] = ()

    dataset_path: str | None = None
    dataset_name: str | None = None
    dataset_kwargs: dict[str, Any] = Field(default_factory=dict)
    custom_dataset: Function | None = None
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    process_docs: Function | None = None

    doc_to_text: Template | None = None
    doc_to_target: Template | None = None
    doc_to_choice: Template | None = None
    description: str | Function = ""
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    gen_prefix: str | None = None
    fewshot_config: FewshotConfig | None = None
    num_fewshot: int | None = Field(default=None, le=MOST_DRAWN)

    output_type: OutputType = "generate_until"
    metric_list: tuple[MetricConfig, ...] | None = None
    process_results: Function | None = None
    generation_kwargs: dict[str, Any] | None = None
    repeats: int = Field(default=1, le=MOST_DRAWN)
    filter_list: tuple[FilterPipeline, ...] | None = None
    unsafe_code: bool = False
    should_decontaminate: bool = False
    doc_to_decontamination_query: Template | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    construct_requests: Function | None = None
    """Of a task that is a Python class (`class_task`): what makes its requests."""
    prepared_by: dict[str, Function] = Field(default_factory=dict)
    """Of a task that is a Python class: by split, what makes its documents of the rows."""

    cluster: str | None = None
    """Ours: column or template whose value documents share that are not independent (a passage, a template)."""
    chance: float | None = None
    """Ours: accuracy of guessing, where it isn't 1 / number of choices."""
    reasoning: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Ours: keys that differ under a way of reasoning: `direct`, `cot`, and `cot_zero_shot` (cot without examples).
    The values are already what this class holds: `config.model_copy(update=config.reasoning["cot"])` is that task."""


class GroupConfig(Written):
    """A named group of tasks, tags or groups."""

    group: str
    file: Path
    group_alias: str | None = None
    members: tuple[str, ...]
    """`task` in the file: names of tasks, groups and tags (tasks that are written inside it get names of their own)."""
    aggregate: tuple[dict[str, Any], ...] = ()
    """`aggregate_metric_list`: metric, filter_list, aggregation, weight_by_size."""
    metadata: dict[str, Any] = Field(default_factory=dict)
