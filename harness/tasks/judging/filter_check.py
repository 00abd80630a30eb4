"""The pipelines that a task file may list, looked at before a model runs: filters by name, with their arguments."""

from __future__ import annotations

import re

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.config import FilterPipeline, FilterStep, Function, TaskConfig

INVALID = "[invalid]"
"""What stands for an answer that was not found, unless the file names another fallback."""
NO_TAGS = ["invalid"]
"""The same where tags were looked for."""
DEFAULT = FilterPipeline(name="none", steps=(FilterStep(function="take_first"),))
"""Of a task that lists no filters."""

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "regex": ("regex_pattern", "group_select", "fallback"),
    "regex_pos": ("regex_pattern", "group_select", "fallback"),
    "multi_choice_regex": (
        "regex_pattern",
        "group_select",
        "fallback",
        "ignore_case",
        "ignore_punctuation",
        "regexes_to_ignore",
    ),
    "remove_whitespace": (),
    "strip": ("characters",),
    "prepend": ("column",),
    "lowercase": (),
    "uppercase": (),
    "map": ("mapping_dict", "default_value"),
    "format_span": (),
    "take_first": (),
    "take_first_k": ("k",),
    "majority_vote": (),
    "custom": ("filter_fn",),
}
FILTERS = tuple(_ARGUMENTS)
"""The names of the filters that are built in."""
_REQUIRED = {"take_first_k": "k", "custom": "filter_fn", "prepend": "column"}


def check(config: TaskConfig) -> None:
    """Raise UserError for a filter or an argument that is unknown, or a pattern that is none: before a model runs."""
    for pipeline in config.filter_list or ():
        for step in pipeline.steps:
            for mode in ("lm-eval", "right"):
                check_step(in_mode(step, mode), f"{config.file}:filter_list: {pipeline.name}")
        if config.output_type == "generate_until":
            left(pipeline, config.repeats, f"{config.file}:filter_list: {pipeline.name}")


def left(pipeline: FilterPipeline, samples: int, where: str = "") -> int | None:
    """How many of so many samples a pipeline leaves to be judged; None where a function of the file chooses.

    Raises UserError where `take_first_k` wants more than there are.
    """
    for step in pipeline.steps:
        if isinstance(step.function, Function) or step.function == "custom":
            return None
        if step.function == "take_first":
            return 1
        if step.function == "take_first_k":
            samples = first_of(step.options["k"], samples, where)
        elif step.function == "majority_vote":
            samples = 1
    return samples


def in_mode(step: FilterStep, mode: Mode) -> FilterStep:
    """With the arguments that it has in this mode."""
    return step.model_copy(update={"options": {**step.options, **step.right}}) if mode == "right" else step


def first_of(k: int, samples: int, where: str) -> int:
    """How many samples `take_first_k` takes. Raises UserError where it wants more than there are."""
    if samples < k:
        raise UserError(f"`take_first_k` wants {k} samples, but {samples} are drawn; set `repeats: {k}`", place=where)
    return k


def check_step(step: FilterStep, where: str) -> None:
    """Raise UserError for a step that no filter is, or not with these arguments."""
    name = step.function
    if isinstance(name, Function):
        return
    if name == "decontaminate":
        raise UserError("`decontaminate` does nothing in lm-eval either: leave the step out", place=where)
    if name not in _ARGUMENTS:
        raise UserError(f"unknown filter `{name}`{nearest(name, _ARGUMENTS)}", place=where)
    for key in step.options:
        if key not in _ARGUMENTS[name]:
            raise UserError(f"filter `{name}` takes no `{key}`{nearest(key, _ARGUMENTS[name])}", place=where)
    needed = _REQUIRED.get(name)
    if needed and needed not in step.options:
        raise UserError(f"filter `{name}` needs `{needed}`", place=where)
    if name == "map" and not isinstance(step.options.get("mapping_dict") or {}, dict):
        raise UserError("`mapping_dict` must map what a model says to what is judged", place=where)
    patterns = [step.options.get("regex_pattern", ""), *(step.options.get("regexes_to_ignore") or ())]
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise UserError(f"`{pattern}` is not a valid regular expression: {error}", place=where) from None
