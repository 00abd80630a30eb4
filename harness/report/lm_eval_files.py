"""A run as lm-evaluation-harness 0.4.13 writes its own: `MODEL/results_TIME.json` and `MODEL/samples_TASK_TIME.jsonl`.

The same folders, names and keys, so that what reads its output reads ours. One results file holds a model at one point
of its axes and settings; cells of the same task with other settings go to another one. In mode lm-eval the numbers are
its numbers; in mode right ours, with more metrics. What a run doesn't know is null. Strict JSON: no NaN, no Infinity.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.errors import UserError, no_room
from harness.measures.mapping_setting import mapping_of
from harness.measures.task.samples import columns
from harness.measures.task.samples.cell import Group, ToldTask
from harness.measures.task.samples.frames import by_task, documents
from harness.measures.task.summary import estimated, groups_of
from harness.models.registry import kinds, opening_of
from harness.report.lm_eval_samples import Line, hashed, sample_lines
from harness.results.record import CellResult, Status
from harness.results.run import Run
from harness.results.samples import reading_samples
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.group_scores import summarize_group
from harness.tasks.judging.specification import name_of
from harness.whole_file import write_whole

FORMAT = "0.4.13"
"""The version of lm-eval whose files these are like, and in mode lm-eval whose numbers."""
_DTYPES = {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp16": "torch.float16"}
_EVERY_CELL = ("task",)


@dataclass(frozen=True)
class _Task:
    """A task of one results file."""

    told: ToldTask
    spec: Mapping[str, Any]
    """How it is summed up."""
    lines: Sequence[Line]
    estimates: Sequence[Estimate]


@dataclass(frozen=True)
class _Group:
    """A group of tasks of one results file."""

    declared: Group
    tasks: Sequence[str]
    """All in it, through the groups within."""
    estimates: Sequence[Estimate]


@dataclass
class _Evaluation:
    """What one results file holds."""

    cell: CellResult
    """The first of its cells: they differ in their task alone."""
    seconds: float = 0.0
    tasks: dict[str, _Task] = field(default_factory=dict)
    groups: dict[str, _Group] = field(default_factory=dict)


def write_lm_eval(run: Run, folder: Path) -> list[Path]:
    """Write every task of a run; gives the results files. Raises UserError where the run has none."""
    evaluations = list(_evaluations(run))
    if not evaluations:
        raise UserError("no cell of the measure `task` ended well, so there is nothing to write", place=str(run.folder))
    written = []
    began = datetime.fromisoformat(run.manifest.started).astimezone().replace(tzinfo=None)
    for number, evaluation in enumerate(evaluations):
        time = (began + timedelta(microseconds=number)).isoformat(timespec="microseconds").replace(":", "-")
        model = _model(run, evaluation.cell)
        inside = folder / _file_name(model)
        _make(inside)
        for task, of in evaluation.tasks.items():
            lines = [json.dumps(_strict(line), ensure_ascii=False, allow_nan=False) + "\n" for line in of.lines]
            _write(inside / f"samples_{_file_name(task)}_{time}.jsonl", "".join(lines))
        path = inside / f"results_{time}.json"
        whole = _strict(_results(run, evaluation, model))
        _write(path, json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False))
        written.append(path)
    return written


def _file_name(name: str) -> str:
    """A name of a model or a task as lm-eval puts it into names of files; shortened where no file may be called so."""
    kept = re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name)[:200]
    kept = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "_", kept).encode()[:200].decode(errors="ignore")
    return kept if kept.strip(". ") else f"__{kept}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if no_room(error):
            raise
        why = error.strerror or "it is no folder"
        raise UserError(f"this folder can't be made ({why}); choose another", place=str(folder)) from None


def _evaluations(run: Run) -> Iterator[_Evaluation]:
    found: dict[str, list[_Evaluation]] = {}
    for cell in run.cells:
        if cell.measure != "task" or cell.status is not Status.OK or run.why_no_samples(cell) is not None:
            continue
        settings = {name: value for name, value in cell.settings.items() if name not in _EVERY_CELL}
        alike = found.setdefault(repr((cell.model, cell.axes, settings)), [])
        with reading_samples(run.samples_file(cell)):
            tasks, groups = _of_cell(run, cell)
        fits = (one for one in alike if not one.tasks.keys() & tasks.keys() and not one.groups.keys() & groups.keys())
        into = next(fits, None)
        if into is None:
            into = _Evaluation(cell)
            alike.append(into)
        into.tasks |= tasks
        into.groups |= groups
        into.seconds += cell.seconds
    yield from (one for alike in found.values() for one in alike)


def _of_cell(run: Run, cell: CellResult) -> tuple[dict[str, _Task], dict[str, _Group]]:
    samples = run.samples(cell)
    if not columns.ROW.is_in(samples):
        raise UserError(
            "its samples were stored by an earlier version and hold no documents; run the suite again", place=run.name
        )
    every = columns.TASKS.first(samples)
    tasks: dict[str, _Task] = {}
    for name, frame in by_task(samples):
        spec = columns.SPEC.first(frame)
        lines = list(sample_lines(list(documents(frame)), every[name], spec))
        tasks[name] = _Task(every[name], spec, lines, estimated(frame, spec)[0])
    mode = str(cell.settings.get("mode"))
    groups: dict[str, _Group] = {}
    declared = {group.group: group for group in columns.GROUPS.first(samples)}
    for name, members, aggregate in groups_of(samples, str(cell.settings["task"]), list(tasks)):
        if name in declared and all(member in tasks for member in members):  # a part of a group is another number
            inside = {member: tasks[member].estimates for member in members}
            scores = summarize_group(aggregate, inside, mode="lm-eval" if mode == "lm-eval" else "right")
            groups[name] = _Group(declared[name], list(inside), scores)
    return tasks, groups


def _results(run: Run, evaluation: _Evaluation, model: str) -> dict[str, Any]:
    tasks, groups, cell = evaluation.tasks, evaluation.groups, evaluation.cell
    manifest = run.manifest
    per_task = {name: _of_task(name, of) for name, of in tasks.items()}
    per_group = {name: _of_group(name, groups[name], per_task) for name in _inner_first(groups)}
    aggregated = {name: numbers for name, numbers in per_group.items() if "sample_len" in numbers}
    shots = {name: of.told.shots for name, of in tasks.items()}
    better = {name: _directions(of.spec, of.estimates) for name, of in tasks.items()}
    versions = {name: of.told.version for name, of in tasks.items()}
    for name, of in groups.items():  # outer groups first, as lm-eval does: they have nothing of the groups within
        members = of.declared.members
        counts = {shots[member] for member in members if member in shots}
        if len(counts) == 1:
            shots[name] = counts.pop()
        if merged := _merged([better[member] for member in members if member in better]):
            better[name] = merged
        versions[name] = str(of.declared.metadata.get("version", "N/A"))
    system = cell.settings.get("system")
    found: dict[str, Any] = {
        "results": per_task | per_group,
        **({"groups": aggregated} if aggregated else {}),
        "group_subtasks": {name: list(of.declared.members) for name, of in groups.items()},
        "configs": {name: tasks[name].told.config for name in sorted(tasks)},
        "versions": dict(sorted(versions.items())),
        "n-shot": dict(sorted(shots.items())),
        "higher_is_better": dict(sorted(better.items())),
        "n-samples": {
            name: {"original": of.told.documents, "effective": per_task[name]["sample_len"]}
            for name, of in tasks.items()
        },
        "config": _config(run, cell, model),
        "git_hash": manifest.git.get("commit"),
        "date": datetime.fromisoformat(manifest.started).timestamp(),
        "pretty_env_info": "\n".join(f"{name}: {value}" for name, value in sorted(_packages(run).items())),
        "transformers_version": _packages(run).get("transformers"),
        "lm_eval_version": FORMAT,
        "harness_version": _packages(run).get("gpt-harness"),
        "upper_git_hash": None,
        **dict.fromkeys(("tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id")),
        "max_length": cell.settings.get("context"),
        "task_hashes": {name: hashed("".join(map(_hash, of.lines))) for name, of in tasks.items()},
        "model_source": _source(run, cell),
        "model_name": model,
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model),
        "system_instruction": system,
        "system_instruction_sha": None if system is None else hashed(str(system)),
        "fewshot_as_multiturn": bool(cell.settings.get("multi_turn")) if cell.settings.get("chat") else None,
        "chat_template": None,
        "chat_template_sha": None,
        "total_evaluation_time_seconds": str(evaluation.seconds),
    }
    return found


def _inner_first(groups: Mapping[str, _Group]) -> list[str]:
    """The groups in the order in which lm-eval sums them up: those within a group before it, in the order of its
    members."""
    members = {name: of.declared.members for name, of in groups.items()}
    inner = {member for mine in members.values() for member in mine}
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        for member in members[name]:
            if member in members and member not in found:
                visit(member)
        found.setdefault(name)

    for name in members:
        if name not in inner:
            visit(name)
    return list(found)


def _of_task(name: str, of: _Task) -> dict[str, Any]:
    numbers = _numbers(of.estimates, of.spec)
    length = max((estimate.n for estimate in of.estimates), default=0)
    return {"name": name, "alias": of.told.config.get("task_alias", name), "sample_len": length, **numbers}


def _of_group(name: str, of: _Group, per_task: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"alias": of.declared.group_alias or name, "name": name}
    estimates = of.estimates
    if not estimates and not of.declared.aggregate:
        return found
    spec = {"pipelines": {key.partition("/")[2] for key in (one.key for one in estimates)} | {"none"}}
    found["sample_len"] = sum(per_task[task]["sample_len"] for task in of.tasks)
    found |= _numbers(estimates, spec)
    counts = {_named(one.key, spec, ""): one.n for one in estimates}
    return found | {"sample_count": counts} if counts else found


def _numbers(estimates: Sequence[Estimate], spec: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for estimate in estimates:
        found[_named(estimate.key, spec, "")] = estimate.value
        found[_named(estimate.key, spec, "_stderr")] = "N/A" if estimate.stderr is None else estimate.stderr
    return found


def _named(key: str, spec: Mapping[str, Any], ending: str) -> str:
    metric, pipeline = name_of(key, spec)
    return f"{metric}{ending},{pipeline}"


def _directions(spec: Mapping[str, Any], estimates: Sequence[Estimate]) -> dict[str, bool | None]:
    """Of every metric of a task, then of those that a function of its file gives under other names: as that one."""
    found: dict[str, bool | None] = {}
    for name, entry in spec["metrics"].items():
        by_direction = {"higher": True, "lower": False}.get(entry["direction"])
        found[name] = entry.get("higher_is_better", by_direction)
    of_functions = {found[name] for name, entry in spec["metrics"].items() if entry.get("function")}
    if spec["builtin"] and of_functions:
        one = of_functions.pop() if len(of_functions) == 1 else None
        found |= {name: one for name, _ in (name_of(each.key, spec) for each in estimates) if name not in found}
    return found


def _merged(directions: Sequence[Mapping[str, bool | None]]) -> dict[str, bool | None]:
    """Of a group; null where its tasks disagree."""
    found: dict[str, bool | None] = {}
    for name, better in (item for one in directions for item in one.items()):
        found[name] = better if found.get(name, better) == better else None
    return found


def _config(run: Run, cell: CellResult, model: str) -> dict[str, Any]:
    settings, precision = cell.settings, str(cell.axes.get("precision"))
    lm_eval = settings.get("mode") == "lm-eval"
    parameters = next((record.parameters for record in cell.records if record.parameters is not None), None)
    given = settings.get("generation")
    return {
        "model": _source(run, cell),
        "model_args": {"pretrained": model, "dtype": precision},
        "model_num_parameters": parameters,
        "model_dtype": _DTYPES.get(precision, precision),
        "model_revision": None,
        "model_sha": _summary(run, cell).get("digest"),
        "batch_size": None,
        "batch_sizes": [],
        "device": cell.axes.get("device"),
        "use_cache": None,
        "limit": settings.get("documents"),
        "bootstrap_iters": 100_000 if lm_eval else None,
        "gen_kwargs": mapping_of(given if isinstance(given, str) else None),
        "random_seed": 0,
        "numpy_seed": 1234,
        "torch_seed": 1234,
        "fewshot_seed": settings.get("shot_seed"),
    }


def _summary(run: Run, cell: CellResult) -> Mapping[str, Any]:
    names = [name for name in run.manifest.models if name.split(" ")[0] == cell.model]
    at = {f"{axis}={value}" for axis, value in cell.axes.items()}
    fits = [name for name in names if set(name.split(" ")[1:]) <= at] or names
    return run.manifest.models[fits[0]] if fits else {}


def _model(run: Run, cell: CellResult) -> str:
    """The folder or hub name of its weights; of a model that was trained for the run its name in the suite."""
    found = _summary(run, cell)
    return str(found["path"]) if found.get("path") and set(found) <= {"kind", "path", "digest"} else cell.model


def _source(run: Run, cell: CellResult) -> str:
    kind = str(_summary(run, cell).get("kind", "harness"))
    return opening_of(kind).lm_eval or kind if kind in kinds() else kind


def _packages(run: Run) -> Mapping[str, Any]:
    packages = run.manifest.fingerprint.get("packages", {})
    return packages if isinstance(packages, Mapping) else {}


def _hash(line: Line) -> str:
    return str(line["doc_hash"] + line["prompt_hash"] + line["target_hash"])


def _strict(value: Any) -> Any:
    """The same as JSON may hold it: a number that is none is null."""
    if isinstance(value, dict):
        return {str(name): _strict(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8", "replace"))
