"""What is kept of a task with its samples, so that a run can be written in lm-eval's format without the task's file."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness import strict_json
from harness.measures.task.documents import shots_of
from harness.measures.task.samples.cell import ToldTask
from harness.tasks.config import Function, TaskConfig
from harness.tasks.task import Task

_OURS = ("file", "cluster", "chance", "reasoning", "construct_requests", "prepared_by")
_INHERITED = (
    *("process_docs", "doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix"),
    *("fewshot_delimiter", "target_delimiter"),
)


def told(task: Task, settings: Any, size: int) -> ToldTask:
    """As JSON has it.

    size: documents of the split that is asked.
    """
    config = task.config
    shots = shots_of(config, settings)
    written = {} if config.output_type != "generate_until" else generation_arguments(config)
    configuration = configuration_of(config) | {"num_fewshot": shots}
    if written:
        configuration["generation_kwargs"] = written
    found = {"config": configuration, "version": config.metadata.get("version", "Yaml"), "generation": written}
    return ToldTask(**strict_json.loads(strict_json.dumps(found, default=str)), shots=shots, documents=size)


def generation_arguments(config: TaskConfig) -> dict[str, Any]:
    """`generation_kwargs` with lm-eval's defaults."""
    given = dict(config.generation_kwargs or {"temperature": 0.0, "do_sample": False, "max_gen_toks": 256})
    if "temperature" in given:
        given["temperature"] = float(given["temperature"])
    return given if "until" in given else given | {"until": [config.fewshot_delimiter]}


def configuration_of(config: TaskConfig) -> dict[str, Any]:
    """The keys of a task file as lm-eval writes them beside its results: without those that say nothing, functions by
    their source."""
    keys = {name: _plain(getattr(config, name)) for name in TaskConfig.model_fields if name not in (*_OURS, "tag")}
    own = config.fewshot_config
    shown = {name: _plain(getattr(own, name)) for name in type(own).model_fields if name != "same"} if own else {}
    keys["fewshot_config"] = {
        "sampler": "default",
        "split": config.fewshot_split,
        "fewshot_indices": None,
        "samples": None,
        **{name: keys.get(name) for name in _INHERITED},
        **{name: value for name, value in shown.items() if value is not None},
    }
    keys["metadata"] = {**config.metadata, "config_source": str(config.file)}
    return {name: value for name, value in keys.items() if value is not None and value != {}}


def _plain(value: Any) -> Any:
    if isinstance(value, Function):
        return _source(value)
    if isinstance(value, BaseModel):
        named = {"steps": "filter"}
        fields = {
            name: _plain(getattr(value, name)) for name in type(value).model_fields if name not in ("options", "right")
        }
        kept = {
            named.get(name, name): inner
            for name, inner in fields.items()
            if inner not in (None, False) or name in value.model_fields_set
        }
        return kept | _plain(getattr(value, "options", {}))
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _source(function: Function) -> str:
    """The text of a function; its name where it is made by other code."""
    try:
        text = function.file.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return f"{function.file.stem}.{function.name}"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == function.name:
            return (ast.get_source_segment(text, node) or "") + "\n"
    return f"{function.file.stem}.{function.name}"
