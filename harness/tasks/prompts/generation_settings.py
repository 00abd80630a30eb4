"""How answers are written, where a suite says it: put over what the task file says under `generation_kwargs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks.config import TaskConfig
from harness.tasks.prompts.generation_kwargs import KEYS, generation, put_over

KEYS_SCHEMA: dict[str, Any] = {"type": "object", "properties": {key: {} for key in KEYS}, "additionalProperties": False}
"""The same as a JSON schema, for editors."""


NO_NUMBERS = ("until", "do_sample", "early_stopping")


def check_keys(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a key that says nothing about writing, and for yes or no in the place of a number."""
    for key, value in given.items():
        if key not in KEYS:
            raise ValueError(f"`generation`: unknown key '{key}'{nearest(str(key), KEYS)}; allowed: {', '.join(KEYS)}")
        if isinstance(value, bool) and key not in NO_NUMBERS:
            raise ValueError(f"`generation`: `{key}` should be a number, not {str(value).lower()}")


def with_generation(config: TaskConfig, given: Mapping[str, Any]) -> TaskConfig:
    """The task with these settings of its answers; a task that writes none is left as it is.

    One name of the largest number of new tokens replaces the others. A temperature above 0 draws, whatever the file
    says. Raises UserError for a value that is none.
    """
    if not given or config.output_type != "generate_until":
        return config
    if config.construct_requests is not None:  # its code says the rest, document by document
        own = dict(config.generation_kwargs or {})
    else:
        own = dict(config.generation_kwargs or {"until": [config.fewshot_delimiter]})
    drawn = {"do_sample": _is_above_0(given["temperature"])} if "temperature" in given else {}
    changed = config.model_copy(update={"generation_kwargs": put_over(own, drawn | dict(given))})
    try:
        generation(changed, "")
    except UserError as error:
        raise UserError(error.message, place=f"`generation` for {config.task}") from None
    return changed


def _is_above_0(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
