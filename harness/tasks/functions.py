"""Python functions that task files name with `!function`: which there are, and which may run.

Two kinds. Document functions make prompts of documents (`process_docs`, `doc_to_*`, examples): they run without
permission, in a process that the kernel fences in. Everything else judges answers or makes data sets, imports what it
likes, and runs only where the user allowed task code. Both run in processes of their own: see `harness.tasks.code`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    return list(_functions(config, ""))


def check_allowed(function: Function, key: str, allow_task_code: bool) -> None:
    """Raise UserError where a function may not run. `key` names it, as `functions_of` writes it."""
    if key not in DOCUMENT_KEYS and not allow_task_code:
        raise UserError(
            f"`{key}` is task code ({function.name}), which runs only if you allow it: read the file, "
            "then say --allow-task-code",
            place=str(function.file),
        )


def _functions(value: Any, key: str) -> Iterator[tuple[str, Function]]:
    if isinstance(value, Function):
        yield key, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = name if not key else key if name in ("steps", "options") else f"{key}.{name}"
            yield from _functions(getattr(value, name), inner)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            # under a way of reasoning a key is what it is elsewhere
            inner = "" if key == "reasoning" else f"{key}.{name}" if key else str(name)
            yield from _functions(one, inner)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _functions(one, key)
