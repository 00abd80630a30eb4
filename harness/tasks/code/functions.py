"""Python functions that task files name with `!function`: which there are, and which may run.

Two kinds. Document functions make prompts of documents (`process_docs`, `doc_to_*`, examples): they run without
permission, in a process that the kernel fences in. Everything else judges answers or makes data sets, imports what it
likes, and runs only where the user allowed task code. Both run in processes of their own: see `harness.tasks.code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.errors import UserError
from harness.tasks.config import Function, TaskConfig

DOCUMENT_KEYS = frozenset(
    {"process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_decontamination_query", "description"}
    | {f"fewshot_config.{key}" for key in ("samples", "process_docs", "doc_to_text", "doc_to_target", "doc_to_choice")}
)
"""Keys whose functions need no permission."""


def functions_of(config: TaskConfig) -> list[tuple[str, Function]]:
    """Every function that a task names, by the key that names it, such as `metric_list.aggregation`."""
    found: list[tuple[str, Function]] = []
    _gather(config, "", found)
    return found


def check_allowed(function: Function, key: str, allow_task_code: bool) -> None:
    """Raise UserError where a function may not run. `key` names it, as `functions_of` writes it."""
    if key not in DOCUMENT_KEYS and not allow_task_code:
        raise UserError(
            f"`{key}` is task code ({function.name}), which runs only if you allow it: read the file, "
            "then say --allow-task-code",
            place=str(function.file),
        )


def _gather(value: Any, key: str, found: list[tuple[str, Function]]) -> None:
    if value is None or isinstance(value, str | int | float):  # most of what a task says
        return
    if isinstance(value, Function):
        found.append((key, value))
    elif isinstance(value, list | tuple):
        for one in value:
            _gather(one, key, found)
    elif isinstance(value, BaseModel):
        for name, one in value.__dict__.items():
            _gather(one, name if not key else key if name in ("steps", "options") else f"{key}.{name}", found)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            # under a way of reasoning a key is what it is elsewhere
            _gather(one, "" if key == "reasoning" else f"{key}.{name}" if key else str(name), found)
