"""Tasks that are a Python class, read as a `TaskConfig`: a prompt, a request or two, a metric.

A class is known by what it overrides of lm-eval's `ConfigurableTask`. Its methods become functions that the
configuration names (`CLASS.METHOD`), so that everything else works as for a task in YAML. Reading one runs its file, so
it must be allowed. What a class may do beyond that (several written answers for a document, documents from elsewhere)
is refused.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from harness.errors import UserError
from harness.tasks.config import Function, TaskConfig
from harness.tasks.functions import Modules
from harness.tasks.lm_eval_classes import SPLITS, AnySplit, ConfigurableTask
from harness.tasks.task_file import TaskFile, task_config

_TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice")
_KINDS = ("generate_until", "loglikelihood", "loglikelihood_rolling")


def class_config(source: TaskFile, allow_task_code: bool) -> TaskConfig:
    """The task that a file with `class` declares. Raises UserError where it may not be run, or is none of these."""
    named = source.keys["class"]
    if not isinstance(named, Function):
        raise UserError("`class` names a Python class: `class: !function task.NAME`", place=source.place("class"))
    if not allow_task_code:
        raise UserError(
            f"the task is a Python class ({named.name}), which is read only if you allow it: read the file, then say "
            "--allow-task-code",
            place=str(named.file),
        )
    modules = Modules(allow_task_code)
    made: Any = modules.load(named, "class")
    if not (isinstance(made, type) and issubclass(made, ConfigurableTask)):
        raise UserError(
            f"{named.name} does not derive from lm-eval's ConfigurableTask, and no other class of a task is read",
            place=str(named.file),
        )
    missing = [name for name in ("process_results", "aggregation", "higher_is_better") if not hasattr(made, name)]
    if missing:
        raise UserError(f"{named.name} has no `{missing[0]}`, which judges its answers", place=str(named.file))
    try:
        return _config(source, named, made, modules.object_of(named))
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        raise UserError(
            f"{named.name} can't be read: {type(error).__name__}: {error}", place=str(named.file)
        ) from error


def _config(source: TaskFile, named: Function, made: type, task: ConfigurableTask) -> TaskConfig:
    def method(name: str) -> Function:
        return Function(file=named.file, name=f"{named.name}.{name}")

    def overrides(name: str) -> bool:
        return getattr(made, name, None) is not getattr(ConfigurableTask, name, None)

    keys = {key: value for key, value in task.given.items() if key not in ("class", "metric_list", "generation_kwargs")}
    keys |= {key: value for key, value in source.keys.items() if key in ("task", "task_alias", "tag", "metadata")}
    keys["metadata"] = {"version": task.VERSION} | dict(keys.get("metadata") or {})
    for key, value in (("dataset_path", task.DATASET_PATH), ("dataset_name", task.DATASET_NAME)):
        keys.setdefault(key, value)
    keys |= {name: method(name) for name in (*_TEMPLATES, "process_results") if hasattr(made, name)}
    better = task.higher_is_better()  # type: ignore[attr-defined]
    keys["metric_list"] = [
        {"metric": name, "aggregation": method(f"aggregation.{name}"), "higher_is_better": better.get(name)}
        for name in task.aggregation()  # type: ignore[attr-defined]
    ]
    prepared: dict[str, Function] = {}
    for split in SPLITS:
        keys[f"{split}_split"] = _split(task, split, prepared, method(f"{split}_docs"))
    if overrides("construct_requests"):
        keys["output_type"] = _output_type(made, str(named.file))
    config = task_config(TaskFile(source.file, keys, source.origins))
    own = {"construct_requests": method("construct_requests")} if overrides("construct_requests") else {}
    return config.model_copy(update={**own, "prepared_by": prepared})


def _split(task: ConfigurableTask, split: str, prepared: dict[str, Function], method: Function) -> str | None:
    """The data set's split that a class takes for this one; notes in `prepared` what it makes of the rows."""
    if not getattr(task, f"has_{split}_docs")():
        return None
    task.dataset = seen = AnySplit([])
    made = getattr(task, f"{split}_docs")()
    if not seen.asked:
        raise UserError(
            f"`{method.name}` asks for no split of the data set, and nothing else is read", place=str(method.file)
        )
    if made is not seen.rows:
        prepared[seen.asked[0]] = method
    return seen.asked[0]


def _output_type(made: Any, place: str) -> str:
    """By the kinds of requests that `construct_requests` names: a written answer goes before everything else."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(made.construct_requests)))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = [kind for kind in _KINDS if kind in texts]
    if not found:
        told = f"`{made.__name__}.construct_requests` names no kind of request ({', '.join(_KINDS)})"
        raise UserError(told, place=place)
    return found[0]
