"""What a Python class of a task says of itself, as plain values: read where task code runs.

A class is known by what it overrides of lm-eval's `ConfigurableTask`. What it may do beyond a prompt, requests and a
metric is refused.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from harness.errors import UserError
from harness.tasks.code.lm_eval_classes import SPLITS, AnySplit, ConfigurableTask
from harness.tasks.code.modules import Modules, Named

METHODS = ("doc_to_text", "doc_to_target", "doc_to_choice", "process_results")
"""What a class may define, and a task file names too."""
_KINDS = ("generate_until", "loglikelihood", "loglikelihood_rolling")


def facts(modules: Modules, named: Named) -> dict[str, Any]:
    """`given` (its configuration), `version`, `dataset` (path, name), `methods` (of `METHODS`), `metrics` (name and
    whether higher is better), `splits` (by split the data set's own name, and whether the class makes the rows),
    `output_type` and `requests` (whether it makes its requests). Raises UserError where it is none that can be
    read."""
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
        return _facts(named, made, modules.object_of(named))
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        raise UserError(
            f"{named.name} can't be read: {type(error).__name__}: {error}", place=str(named.file)
        ) from error


def _facts(named: Named, made: type, task: ConfigurableTask) -> dict[str, Any]:
    better = task.higher_is_better()  # type: ignore[attr-defined]
    own_requests = getattr(made, "construct_requests", None) is not None
    return {
        "given": dict(task.given),
        "version": task.VERSION,
        "dataset": [task.DATASET_PATH, task.DATASET_NAME],
        "methods": [name for name in METHODS if hasattr(made, name)],
        "metrics": [[name, better.get(name)] for name in task.aggregation()],  # type: ignore[attr-defined]
        "splits": {split: _split(task, split, named) for split in SPLITS},
        "requests": own_requests,
        "output_type": _output_type(made, str(named.file)) if own_requests else None,
    }


def _split(task: ConfigurableTask, split: str, named: Named) -> list[Any]:
    """The data set's split that a class takes for this one, and whether it makes something of the rows."""
    if not getattr(task, f"has_{split}_docs")():
        return [None, False]
    task.dataset = seen = AnySplit([])
    made = getattr(task, f"{split}_docs")()
    if not seen.asked:
        raise UserError(
            f"`{named.name}.{split}_docs` asks for no split of the data set, and nothing else is read",
            place=str(named.file),
        )
    return [seen.asked[0], made is not seen.rows]


def _output_type(made: Any, place: str) -> str:
    """By the kinds of requests that `construct_requests` names: a written answer goes before everything else."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(made.construct_requests)))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = [kind for kind in _KINDS if kind in texts]
    if not found:
        told = f"`{made.__name__}.construct_requests` names no kind of request ({', '.join(_KINDS)})"
        raise UserError(told, place=place)
    return found[0]
