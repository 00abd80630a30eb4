"""lm-evaluation-harness: `results_*.json` with the `samples_*.jsonl` beside it, as version 0.4 writes them.

A group is one cell with its tasks as parts, as in our own measure `task`; a task in no group is a cell of its own.
Values and standard errors are those of the file. With samples, documents pair with those of other runs: of other
imports, and of our own where the same task was asked in mode lm-eval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from harness import strict_json
from harness.comparison.definition import default_settings
from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, as_float, place_in, read_as
from harness.interchange.formats.lm_eval_samples import SamplesFile, documents, is_samples, read_samples, unmatched
from harness.interchange.names import text_of
from harness.measures.task.samples import columns
from harness.measures.task.samples.cell import Group, ToldTask
from harness.measures.task.samples.rows import write
from harness.results.record import Direction, Measurement, Read
from harness.tasks.judging.metric_table import BUILT_IN
from harness.tasks.judging.specification import declared, key_of

NAME = "lm-eval"
_NO_METRICS = ("alias", "name", "sample_len", "sample_count", "samples", " ")
_DTYPES = {"torch.float32": "fp32", "torch.bfloat16": "bf16", "torch.float16": "fp16"}
_DEEPEST = 50


class File(Foreign):
    """The file of results."""

    results: dict[str, dict[str, Any]]
    group_subtasks: dict[str, list[str]] = Field(default={})
    configs: dict[str, dict[str, Any]] = Field(default={})
    versions: dict[str, Any] = Field(default={})
    n_shot: dict[str, Any] = Field(default={})
    higher_is_better: dict[str, dict[str, bool | None]] = Field(default={})
    n_samples: dict[str, dict[str, Any]] = Field(default={})
    task_hashes: dict[str, str] = Field(default={})
    config: dict[str, Any] = Field(default={})
    git_hash: str | None = None
    date: float | None = None
    lm_eval_version: str | None = None
    model_name: str | None = None
    system_instruction: str | None = None
    chat_template: Any = None
    fewshot_as_multiturn: bool | None = None
    transformers_version: str | None = None


def is_mine(file: ForeignFile) -> bool:
    """Whether it is a file of results or of samples."""
    if file.is_archive:
        return False
    return is_samples(file) or (isinstance(file.json, dict) and _has_results(file.json))


def _has_results(found: Mapping[str, Any]) -> bool:
    return isinstance(found.get("results"), dict) and "versions" in found and "config" in found


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file of results, with its samples. Raises UserError."""
    samples = [read_samples(file) for file in files if is_samples(file)]
    results = [file for file in files if not is_samples(file)]
    if not results:
        raise UserError(
            "these are samples of lm-eval without their results: name the results_*.json that was written with them",
            place=files[0].name,
        )
    found = []
    used: set[str] = set()
    for file in results:
        told = {name.replace("-", "_"): value for name, value in file.json.items()}
        given = read_as(File, told, file.name, tool=NAME)
        mine = _samples_of(given, samples)
        used |= {one.file.name for one in mine.values()}
        found.append(_content(file, given, mine))
    for one in samples:
        if one.file.name not in used:
            raise unmatched(one)
    return found


def _samples_of(found: File, samples: Sequence[SamplesFile]) -> dict[str, SamplesFile]:
    """By task its samples: by the hash of their lines, or where a version wrote none by the file's name."""
    by_hash = {digest: task for task, digest in found.task_hashes.items() if task in found.results}
    mine: dict[str, SamplesFile] = {}
    for one in samples:
        task = by_hash.get(one.task_hash or "")
        if task is None and not found.task_hashes:
            named = Path(one.file.name).name
            fits = [name for name in found.results if named.startswith((f"samples_{name}_", f"samples_{name}."))]
            task = max(fits, key=len, default=None)
        if task is not None:
            if task in mine:
                raise UserError(
                    f"the samples of {text_of(task, 80)} are in {mine[task].file.name} too", place=one.file.name
                )
            mine[task] = one
    return mine


def _content(file: ForeignFile, found: File, samples: Mapping[str, SamplesFile]) -> Content:
    if not found.results:
        raise UserError("`results` is empty: no task was evaluated", place=file.name)
    model = _model(found)
    tool = f"{NAME} {text_of(found.lm_eval_version, 40)}" if found.lm_eval_version else NAME
    benchmarks = [_cell(file, found, samples, model, name) for name in _tops(found)]
    digest = found.config.get("model_sha")
    packages = {"transformers": found.transformers_version} if found.transformers_version else {}
    return Content(
        tool,
        (file, *(one.file for one in samples.values())),
        benchmarks,
        _date(found.date),
        {"packages": packages},
        {"commit": text_of(found.git_hash, 100)} if found.git_hash else {},
        {model: {"kind": NAME, **({"digest": text_of(digest, 100)} if isinstance(digest, str) and digest else {})}},
    )


def _date(since_1970: float | None) -> str | None:
    try:
        return None if since_1970 is None else datetime.fromtimestamp(since_1970, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _model(found: File) -> str:
    """The model that was evaluated: what `model_args` says. (`model_name` is drawn anew where they say nothing.)"""
    given = found.config.get("model_args")
    if isinstance(given, str):
        given = dict(part.partition("=")[::2] for part in given.split(","))
    told = given if isinstance(given, dict) else {}
    name = next((told[key] for key in ("pretrained", "model", "path", "engine") if told.get(key)), None)
    name = name or found.config.get("model") or found.model_name
    return text_of(name) if name else "unnamed"


def _tops(found: File) -> list[str]:
    """The groups in no other group, then the tasks in no group."""
    groups = {name: members for name, members in found.group_subtasks.items() if members}
    inner = {member for members in groups.values() for member in members}
    tops = [name for name in groups if name not in inner]
    covered = {leaf for name in tops for leaf in _leaves(name, groups)} | {*tops}
    covered |= {name for top in tops for name in _within(top, groups)}
    return [*tops, *(name for name in found.results if name not in covered)]


def _leaves(name: str, groups: Mapping[str, Sequence[str]], depth: int = 0) -> list[str]:
    """The tasks in a group, through the groups within."""
    if name not in groups or depth > _DEEPEST:
        return [name]
    return list(dict.fromkeys(leaf for member in groups[name] for leaf in _leaves(member, groups, depth + 1)))


def _within(name: str, groups: Mapping[str, Sequence[str]], depth: int = 0) -> list[str]:
    """The groups within a group."""
    if depth > _DEEPEST:
        return []
    mine = [member for member in groups.get(name, ()) if member in groups]
    return list(dict.fromkeys([*mine, *(one for member in mine for one in _within(member, groups, depth + 1))]))


def _cell(file: ForeignFile, found: File, samples: Mapping[str, SamplesFile], model: str, name: str) -> Benchmark:
    groups = {group: members for group, members in found.group_subtasks.items() if members}
    tasks = [leaf for leaf in _leaves(name, groups) if leaf in found.results and leaf not in groups]
    inside = _within(name, groups)
    grouped = name in groups
    numbers: list[Measurement] = []
    for one in [*([name, *inside] if grouped else []), *tasks]:
        if one in found.results:
            part = None if one == name else one
            of = _spec(found, tasks[0] if one not in tasks and tasks else one)
            numbers += _numbers(found, one, of, part, place_in(file.name, ("results", one)))
    if not numbers:
        raise UserError(f"{text_of(name, 80)} has no number", place=place_in(file.name, ("results", name)))
    rows: list[dict[str, Any]] = []
    told: dict[str, ToldTask] = {}
    for task in tasks:
        told[text_of(task)] = _told(found, task)
        if task in samples:
            rows += _rows(found, task, samples[task])
    if rows:
        declared_groups = tuple(_group(found, one, groups) for one in (name, *inside)) if grouped else ()
        rows[0] |= columns.GROUPS.cell(declared_groups) | columns.TASKS.cell(told) | columns.FAILED.cell({})
    lacking = [task for task in tasks if task not in samples]
    note = f"without the samples of {', '.join(text_of(one, 60) for one in lacking[:5])}: nothing pairs their documents"
    precision = found.config.get("model_dtype")
    parameters = found.config.get("model_num_parameters")
    return Benchmark(
        measure="task",
        model=model,
        place=place_in(file.name, ("results", name)),
        settings={**default_settings("task"), **_settings(found, name, tasks)},
        axes={"precision": _DTYPES.get(precision, text_of(precision, 40))} if isinstance(precision, str) else {},
        measurements=numbers,
        samples=rows,
        notes=[note] if lacking else [],
        read=[_read(found, task) for task in tasks if task in found.versions],
        parameters=parameters if type(parameters) is int and parameters > 0 else None,
    )


def _read(found: File, task: str) -> Read:
    """What tells two versions of a task apart. Under a name that no run of ours has, which know digests of files."""
    return Read(kind="task", name=f"{text_of(task)} (lm-eval)", digest=f"version {text_of(found.versions[task], 60)}")


def _settings(found: File, name: str, tasks: Sequence[str]) -> dict[str, Any]:
    """Those of our own measure `task` that the file tells, as a suite would say them."""
    shots = {found.n_shot[task] for task in tasks if type(found.n_shot.get(task)) is int}
    limit, generation = found.config.get("limit"), found.config.get("gen_kwargs")
    settings: dict[str, Any] = {"task": name, "mode": "lm-eval"}
    if len(shots) == 1:
        settings["shots"] = shots.pop()
    if isinstance(limit, int | float) and not isinstance(limit, bool) and 0 < limit < 1 << 53:
        settings["documents"] = int(limit) if limit >= 1 else limit
    if generation:
        settings["generation"] = (
            generation if isinstance(generation, str) else strict_json.dumps(generation, default=str)
        )
    if found.system_instruction:
        settings["system"] = found.system_instruction
    if found.chat_template:
        settings |= {"chat": True, "multi_turn": bool(found.fewshot_as_multiturn)}
    if type(found.config.get("fewshot_seed")) is int:
        settings["shot_seed"] = found.config["fewshot_seed"]
    return settings


def _spec(found: File, task: str) -> dict[str, Any]:
    """How the task's items become numbers, as `tasks.judging.specification` has it."""
    config, better = found.configs.get(task, {}), found.higher_is_better.get(task, {})
    listed = config.get("metric_list")
    aggregations = {
        str(one["metric"]): str(one.get("aggregation") or _aggregation(str(one["metric"])))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and "metric" in one
    }
    names = dict.fromkeys(metric for metric, _, _, _ in _parsed(found.results[task]))
    metrics = {}
    for name in names:
        told = better.get(name, {"higher": True, "lower": False}.get(_built_in_direction(name)))
        direction = Direction.NONE if told is None else Direction.HIGHER if told else Direction.LOWER
        metrics[name] = {
            "aggregation": aggregations.get(name, _aggregation(name)),
            "direction": direction.value,
            "listed": True,
            "higher_is_better": told,
        }
    return {
        "task": task,
        "file": "",
        "mode": "lm-eval",
        "metrics": metrics,
        "pipelines": list(dict.fromkeys(pipeline for _, pipeline, _, _ in _parsed(found.results[task]))) or ["none"],
        "builtin": config.get("process_results") is None,
    }


def _aggregation(metric: str) -> str:
    return BUILT_IN[metric].aggregation if metric in BUILT_IN else "mean"


def _built_in_direction(metric: str) -> str:
    return BUILT_IN[metric].metric.direction.value if metric in BUILT_IN else ""


def _parsed(given: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """(metric, filter, value, standard error) of `acc,none` and `acc_stderr,none`; before 0.4 without a filter."""
    for key, value in given.items():
        metric, _, pipeline = key.partition(",")
        if key in _NO_METRICS or metric.endswith("_stderr") or isinstance(value, str | dict | list) or value is None:
            continue
        error = given.get(f"{metric}_stderr,{pipeline}" if pipeline else f"{metric}_stderr")
        yield metric, pipeline or "none", value, error


def _numbers(found: File, name: str, spec: Mapping[str, Any], part: str | None, place: str) -> Iterator[Measurement]:
    given = found.results[name]
    counts = found.n_samples.get(name, {}).get("effective", given.get("sample_len"))
    for metric, pipeline, value, error in _parsed(given):
        where = f"{place}.{text_of(metric, 60)},{text_of(pipeline, 60)}"
        told, stderr = as_float(value), as_float(error)
        if told is None or math.isinf(told):
            raise UserError(f"this should be a number, not {text_of(value, 40)}", place=where)
        if stderr is not None and stderr < 0:
            raise UserError(f"a standard error of {stderr}", place=where)
        stderr = stderr if stderr is not None and math.isfinite(stderr) else None
        counted = given.get("sample_count")
        n = counted.get(f"{metric},{pipeline}", counts) if isinstance(counted, dict) else counts
        named = [text_of(one) for one in (part, None if pipeline == "none" else pipeline) if one is not None]
        key = key_of(metric, pipeline)
        yield Measurement(
            metric=declared(key, {**spec, "pipelines": [pipeline]}).model_copy(update={"name": text_of(metric)}),
            value=told,
            low=None if stderr is None else told - 1.96 * stderr,
            high=None if stderr is None else told + 1.96 * stderr,
            interval="none: lm-eval gives N/A" if stderr is None else "1.96 of lm-eval's standard errors",
            n=n if type(n) is int and 0 < n < 1 << 53 else 1,
            n_unit="documents",
            part="/".join(named) or None,
        )


def _rows(found: File, task: str, samples: SamplesFile) -> list[dict[str, Any]]:
    spec = {**_spec(found, task), "task": text_of(task)}
    names = list(spec["metrics"])
    _check_means(found, task, samples, spec)
    mine = documents(samples, text_of(task), found.configs.get(task, {}), names, spec)
    return [write(document) for document in mine]


def _check_means(found: File, task: str, samples: SamplesFile, spec: Mapping[str, Any]) -> None:
    """Raise UserError for samples of another evaluation of the same task: lm-eval's hash of them is of the questions
    alone, so that those of another model have it too."""
    for metric, pipeline, value, _ in _parsed(found.results[task]):
        if metric not in BUILT_IN or spec["metrics"][metric]["aggregation"] != "mean":
            continue
        given = [as_float(line.get(metric)) for told, line, _ in samples.lines if told.filter == pipeline]
        scores, whole = [one for one in given if one is not None], as_float(value)
        if whole is None or not scores or len(scores) < len(given):
            continue
        mean = math.fsum(scores) / len(scores)
        if not math.isclose(mean, whole, rel_tol=1e-6, abs_tol=1e-9):
            raise UserError(
                f"the mean {metric} of these samples of {text_of(task, 80)} is {mean:.6g}, and the results say "
                f"{whole:.6g}: they are of another evaluation; name the samples that were written with the results",
                place=samples.file.name,
            )


def _told(found: File, task: str) -> ToldTask:
    config = found.configs.get(task, {})
    generation = config.get("generation_kwargs")
    counts = found.n_samples.get(task, {})
    shots = found.n_shot.get(task)
    return ToldTask(
        config=config,
        version=found.versions.get(task),
        shots=shots if type(shots) is int else 0,
        documents=counts["original"] if type(counts.get("original")) is int else 0,
        generation=generation if isinstance(generation, dict) else {},
    )


def _group(found: File, name: str, groups: Mapping[str, Sequence[str]]) -> Group:
    version = found.versions.get(name)
    metadata = {} if version is None else {"version": version}
    return Group(text_of(name), "", None, tuple(text_of(one) for one in groups[name]), (), metadata)


LM_EVAL = Format(NAME, "results_*.json with samples_*.jsonl", is_mine, read)
