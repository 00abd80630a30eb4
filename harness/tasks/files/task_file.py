"""Task files: lm-evaluation-harness' YAML, read into a `TaskConfig` or a `GroupConfig`.

The scalars are what PyYAML makes of them (YAML 1.1, a key that is written twice has its last value), since
that is what the files were written for. An unknown key is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import UserError, shown
from harness.input_file import why_no_path
from harness.spelling import nearest
from harness.tasks.code.functions import functions_of
from harness.tasks.code.helper_files import module_file
from harness.tasks.code.registered_filters import resolved
from harness.tasks.config import FewshotConfig, FilterStep, Function, GroupConfig, MetricConfig, TaskConfig
from harness.tasks.judging.filter_check import FILTERS
from harness.yaml_files.document import Document, Language, read_document
from harness.yaml_files.includes import Includes, included_names

GROUP_KEYS = ("group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag")
"""What a group file may say about the group; its other keys are put over every task in it."""
TASK_KEYS = tuple(key for key in TaskConfig.model_fields if key not in ("file", "construct_requests", "prepared_by"))
REFUSED = {
    "class": "a task that is a Python class is read only by its own name, from a file with `task` and `class`",
    "recipe": "unitxt recipes aren't read",
    "doc_to_image": "tasks with images aren't supported: models here read text",
    "doc_to_audio": "tasks with sound aren't supported: models here read text",
    "use_prompt": "promptsource prompts aren't supported; write the template into `doc_to_text` and `doc_to_target`",
    "task_list": "`task_list` isn't read; write a file for each task that includes this one",
}
"""Keys of lm-eval that are known and not served, and why."""
WAYS = ("direct", "cot", "cot_zero_shot")
_NAMES = ("dataset_path", "dataset_name")
_PIPELINE_KEYS = ("name", "filter")
_AGGREGATE = {"metric": None, "filter_list": None, "aggregation": "mean", "weight_by_size": True}


@dataclass(frozen=True)
class TaskFile:
    """What a file says once its includes are merged underneath it."""

    file: Path
    keys: dict[str, Any]
    places: dict[str, str]
    """`file:line` of each key, in the file that it is written in."""

    def overridden(self, keys: Mapping[str, Any], by: TaskFile) -> TaskFile:
        """With keys of another file put over it."""
        return TaskFile(self.file, self.keys | dict(keys), self.places | {key: by.place(key) for key in keys})

    def place(self, key: str) -> str:
        """`file:line` of a key, for an error."""
        return self.places.get(key, str(self.file))


MOST_FILES = 1_000


def read_task_file(path: Path, chain: tuple[Path, ...] = (), includes: Includes | None = None) -> TaskFile:
    """Read a file and what it includes; its own keys win. Raises UserError with the place of what is wrong."""
    path = path if path.is_absolute() else path.absolute()
    document = own_document(path)
    places = {key: document.place((key,)) for key in document.data}
    return with_includes(TaskFile(path, document.data, places), chain, includes)


def with_includes(own: TaskFile, chain: tuple[Path, ...] = (), includes: Includes | None = None) -> TaskFile:
    """What a file says itself, with what that includes underneath.

    chain: the files that include it. includes: the files that were included so far. Raises UserError.
    """
    includes = includes or Includes(MOST_FILES)
    place = own.place("include")
    chain = (*chain, own.file)  # each but the first is resolved: a circle through a link is seen one round later
    merged: dict[str, Any] = {}
    places: dict[str, str] = {}
    for path in includes.files(included_names(own.keys.get("include"), place), chain, lambda _: place):
        under = read_task_file(path, chain, includes)
        merged |= under.keys
        places |= under.places
    merged.pop("task_list", None)  # belongs to the file that is included
    keys = {key: value for key, value in own.keys.items() if key != "include"}
    return TaskFile(own.file, merged | keys, places | own.places)


def kind(keys: Mapping[str, Any]) -> str | None:
    """`task`, `group`, `class` (a task in Python), or None for a file that others include."""
    if "class" in keys:
        return "class" if isinstance(keys.get("task"), str) else None
    if "group" in keys and not isinstance(keys.get("task"), str):
        return "group" if isinstance(keys["group"], str) else None
    return "task" if isinstance(keys.get("task"), str) else None


def tags(keys: Mapping[str, Any]) -> list[str]:
    """The tags of a task: `tag`, and `group` where it is the older word for it. (A group has no tags.)"""
    found = []
    for key in ("tag", "group"):
        value = keys.get(key)
        found += [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
    return list(dict.fromkeys(found))


def task_config(source: TaskFile) -> TaskConfig:
    """The task that a file declares. Raises UserError with the place of what is wrong."""
    keys = {**source.keys, "tag": tags(source.keys)}
    keys.pop("group", None)
    _refuse_unknown(source, keys, TASK_KEYS)
    made = _validated(source, {**_normalized(source, keys), "file": source.file})
    ways = {way: _way(source, made, way, keys["reasoning"]) for way in made.reasoning}
    return made.model_copy(update={"reasoning": ways})


def group_config(source: TaskFile, keys: Mapping[str, Any], name: str, members: tuple[str, ...]) -> GroupConfig:
    """The group that `keys` (of a file, or of an entry within one) declare, with its members by name. UserError."""
    _refuse_unknown(source, keys, (*GROUP_KEYS, *TASK_KEYS))
    listed = keys.get("aggregate_metric_list") or []
    entries = []
    listed = [listed] if isinstance(listed, dict) else listed
    if not isinstance(listed, list):
        raise UserError("`aggregate_metric_list` is a list of mappings", place=source.place("aggregate_metric_list"))
    for entry in listed:
        if not isinstance(entry, dict) or "metric" not in entry:
            raise UserError(
                "an entry of `aggregate_metric_list` is a mapping with `metric`",
                place=source.place("aggregate_metric_list"),
            )
        if unknown := next((key for key in entry if key not in _AGGREGATE), None):
            raise UserError(
                f"`aggregate_metric_list` knows no '{unknown}'{nearest(str(unknown), _AGGREGATE)} "
                f"(allowed: {', '.join(_AGGREGATE)})",
                place=source.place("aggregate_metric_list"),
            )
        filters = entry.get("filter_list")
        filters = [filters] if isinstance(filters, str) else filters
        whole = {**_AGGREGATE, **entry, "filter_list": filters}
        of_text = {"metric": whole["metric"], "aggregation": whole["aggregation"]}
        of_text |= {
            f"filter_list.{number}": one for number, one in enumerate(filters if isinstance(filters, list) else ())
        }
        wrong = next((key for key, one in of_text.items() if not isinstance(one, str)), None)
        if wrong is not None or not isinstance(filters, list | None):
            given = whole["filter_list"] if wrong is None else of_text[wrong]
            raise UserError(
                f"`{wrong or 'filter_list'}` of `aggregate_metric_list` is a name or a list of names, not "
                f"{shown(repr(given))}",
                place=source.place("aggregate_metric_list"),
            )
        entries.append(whole)
    return GroupConfig(
        group=name,
        file=source.file,
        group_alias=None if keys.get("group_alias") is None else str(keys["group_alias"]),
        members=members,
        aggregate=tuple(entries),
        metadata=_metadata(keys.get("metadata")),
    )


def _way(source: TaskFile, task: TaskConfig, way: str, reasoning: Any) -> dict[str, Any]:
    """The keys that differ under a way of reasoning, as what `TaskConfig` holds."""
    if way not in WAYS:
        raise UserError(
            f"`reasoning` knows no '{way}'{nearest(way, WAYS)} (allowed: {', '.join(WAYS)})",
            place=source.place("reasoning"),
        )
    keys = reasoning[way]
    _refuse_unknown(source, keys, [key for key in TASK_KEYS if key not in ("task", "reasoning")], "reasoning")
    values = {key: getattr(task, key) for key in TaskConfig.model_fields if key != "reasoning"}
    whole = _validated(source, {**values, **_normalized(source, keys)})
    return {key: getattr(whole, key) for key in keys}


def _validated(source: TaskFile, values: dict[str, Any]) -> TaskConfig:
    try:
        return _with_registered_filters(TaskConfig.model_validate(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        inner = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden" and key == "fewshot_config":
            word = str(first["loc"][-1])
            message = f"`fewshot_config` knows no '{word}'{nearest(word, FewshotConfig.model_fields)}"
        elif key == "output_type":
            allowed = ("multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until")
            word = str(first["input"])
            message = f"there is no output type '{word}'{nearest(word, allowed)} (allowed: {', '.join(allowed)})"
        elif first["loc"][-1:] == ("[key]",):
            message = (
                f"a key of `{'.'.join(map(str, first['loc'][:-2]))}` must be a word; put {first['input']} in quotes"
            )
        else:
            given = first["input"] if isinstance(first["input"], date) else shown(repr(first["input"]))
            message = f"`{inner}` can't be {given}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise UserError(message, place=source.place(key)) from None


def _with_registered_filters(config: TaskConfig) -> TaskConfig:
    """With the classes of the task's helpers for the filters that these register."""
    if config.filter_list is None:
        return config
    pipelines = resolved(config.filter_list, FILTERS, _helpers(config))
    return config if pipelines is config.filter_list else config.model_copy(update={"filter_list": pipelines})


def _helpers(config: TaskConfig) -> Iterator[Path]:
    for _, named in functions_of(config):
        yield named.file


def _normalized(source: TaskFile, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in the form that `TaskConfig` has them in; a key that is null has its default."""
    values = {key: value for key, value in keys.items() if value is not None}
    for key, value in values.items():
        if key.endswith(("_split", "_delimiter", "_alias", "gen_prefix")) or key in _NAMES:
            values[key] = _text(source, key, value)
    if "metadata" in values:
        values["metadata"] = _metadata(values["metadata"])
    if "metric_list" in values:
        values["metric_list"] = tuple(_metric(source, entry) for entry in _entries(source, values, "metric_list"))
    if "filter_list" in values:
        values["filter_list"] = tuple(_pipeline(source, entry) for entry in _entries(source, values, "filter_list"))
    reasoning = values.get("reasoning", {})
    if not isinstance(reasoning, dict) or not all(isinstance(inner, dict) for inner in reasoning.values()):
        raise UserError(
            f"`reasoning` maps {', '.join(WAYS)} to the keys that differ there", place=source.place("reasoning")
        )
    return values


def _text(source: TaskFile, key: str, value: Any) -> str:
    if isinstance(value, bool):
        raise UserError(
            f"`{key}` is {str(value).lower()}; YAML reads no, off, yes and on as that, so put it in quotes",
            place=source.place(key),
        )
    if not isinstance(value, str | int | float):
        raise UserError(f"`{key}` is a text, not {shown(repr(value))}", place=source.place(key))
    if (key in _NAMES or key.endswith("_split")) and (why := why_no_path(str(value))) is not None:
        raise UserError(f"`{key}` names data, and {why}", place=source.place(key))
    return str(value)


def _entries(source: TaskFile, values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = [values[key]] if isinstance(values[key], dict) else values[key]
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(f"`{key}` is a list of mappings", place=source.place(key))
    return listed


def _metric(source: TaskFile, entry: dict[str, Any]) -> Any:
    if "metric" not in entry:
        raise UserError("an entry of `metric_list` has no `metric`", place=source.place("metric_list"))
    return _with_options(MetricConfig, entry)


def _pipeline(source: TaskFile, entry: dict[str, Any]) -> Any:
    if unknown := next((key for key in entry if key not in _PIPELINE_KEYS), None):
        raise UserError(
            f"an entry of `filter_list` knows no '{unknown}'{nearest(str(unknown), _PIPELINE_KEYS)} "
            f"(allowed: {', '.join(_PIPELINE_KEYS)})",
            place=source.place("filter_list"),
        )
    steps = [entry["filter"]] if isinstance(entry.get("filter"), dict) else entry.get("filter")
    if not isinstance(steps, list) or not all(isinstance(step, dict) and "function" in step for step in steps):
        raise UserError(
            "`filter` in `filter_list` is a list of mappings with `function`", place=source.place("filter_list")
        )
    words = [step["function"].name if isinstance(step["function"], Function) else step["function"] for step in steps]
    name = entry.get("name")
    return {
        "name": "+".join(map(str, words)) if name is None else str(name),
        "steps": tuple(_with_options(FilterStep, step) for step in steps),
    }


def _with_options(model: type[BaseModel], entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with the keys that `model` doesn't know gathered under `options`."""
    own = {key: value for key, value in entry.items() if key in model.model_fields and key != "options"}
    return {**own, "options": {str(key): value for key, value in entry.items() if key not in own}}


def _metadata(value: Any) -> dict[str, Any]:
    return {} if value is None else value if isinstance(value, dict) else {"_metadata": value}


def _refuse_unknown(source: TaskFile, keys: Mapping[str, Any], known: Any, inside: str = "") -> None:
    for key in keys:
        if key in REFUSED:
            raise UserError(f"`{key}`: {REFUSED[key]}", place=source.place(inside or key))
        if key not in known:
            within = f" in `{inside}`" if inside else ""
            raise UserError(
                f"a task knows no key '{key}'{within}{nearest(str(key), known)}", place=source.place(inside or str(key))
            )


def own_keys(path: Path) -> dict[str, Any]:
    """The keys that one file holds, its `include` not followed. Raises UserError."""
    keys: dict[str, Any] = own_document(path).data
    return keys


def own_document(path: Path) -> Document:
    """What one file says, as YAML has it. Raises UserError where it is no mapping of words."""
    document = written_document(path)
    if not isinstance(document.data, dict):
        raise UserError("a task file is a mapping of keys", place=str(path))
    for key in document.data:
        if not isinstance(key, str):
            raise UserError("a key must be a word", place=document.place((key,)))
    return document


def written_document(path: Path) -> Document:
    """What one file says in YAML, whatever it is. Raises UserError."""
    return read_document(path, "a task file", Language(tags={"!function": partial(_function, path.parent)}))


def _function(folder: Path, node: yaml.Node, place: str) -> Function:
    module, _, name = str(node.value).strip().rpartition(".")
    if not module:
        raise UserError(
            f"`!function {node.value}` names no file; write `!function FILE.NAME` for NAME in FILE.py beside",
            place=place,
        )
    if Path(module).is_absolute() or "" in module.split("."):
        raise UserError(
            f"`!function {node.value}` leads out of the folder; put the file beside and write `!function FILE.NAME`",
            place=place,
        )
    missing = folder / f"{module.replace('.', '/')}.py"
    return Function(file=module_file(module, folder) or missing, name=name)
