"""Tasks that are a Python class, read as a `TaskConfig`: a prompt, a request or two, a metric.

Its methods become functions that the configuration names (`CLASS.METHOD`), so that everything else works as for a
task in YAML. Reading one runs its file (`code.class_facts`), so it must be allowed. What a class may do beyond that
(several written answers for a document, documents from elsewhere) is refused.
"""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.lm_eval_classes import SPLITS
from harness.tasks.config import Function, TaskConfig
from harness.tasks.files.task_file import TaskFile, task_config


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
    state = HelperState([("class", named)], allow_task_code)
    try:
        return _config(source, named, state.class_facts(named))
    finally:
        state.close()


def _config(source: TaskFile, named: Function, facts: dict[str, Any]) -> TaskConfig:
    def method(name: str) -> Function:
        return Function(file=named.file, name=f"{named.name}.{name}")

    unread = ("class", "metric_list", "generation_kwargs")
    keys = {key: value for key, value in facts["given"].items() if key not in unread}
    keys |= {key: value for key, value in source.keys.items() if key in ("task", "task_alias", "tag", "metadata")}
    keys["metadata"] = {"version": facts["version"]} | dict(keys.get("metadata") or {})
    for key, value in zip(("dataset_path", "dataset_name"), facts["dataset"], strict=True):
        keys.setdefault(key, value)
    keys |= {name: method(name) for name in facts["methods"]}
    keys["metric_list"] = [
        {"metric": name, "aggregation": method(f"aggregation.{name}"), "higher_is_better": better}
        for name, better in facts["metrics"]
    ]
    prepared: dict[str, Function] = {}
    for split in SPLITS:
        keys[f"{split}_split"], makes_rows = facts["splits"][split]
        if makes_rows:
            prepared[keys[f"{split}_split"]] = method(f"{split}_docs")
    if facts["requests"]:
        keys["output_type"] = facts["output_type"]
    config = task_config(TaskFile(source.file, keys, source.places))
    own = {"construct_requests": method("construct_requests")} if facts["requests"] else {}
    return config.model_copy(update={**own, "prepared_by": prepared})
