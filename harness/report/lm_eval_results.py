"""The contents of lm-eval's `results_*.json`, key by key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from harness.measures.mapping_setting import mapping_of
from harness.models.registry import kinds, opening_of
from harness.report.lm_eval_evaluations import Evaluation, Group, Task
from harness.report.lm_eval_samples import Line, hashed
from harness.results.record import CellResult
from harness.results.run import Run
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.judging.specification import name_of

FORMAT = "0.4.13"
"""The version of lm-eval whose files these are like, and in mode lm-eval whose numbers."""
_DTYPES = {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp16": "torch.float16"}


def results_of(run: Run, evaluation: Evaluation, model: str) -> dict[str, Any]:
    """What a results file holds. model: see `model_of`."""
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


def _inner_first(groups: Mapping[str, Group]) -> list[str]:
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


def _of_task(name: str, of: Task) -> dict[str, Any]:
    numbers = _numbers(of.estimates, of.spec)
    length = max((estimate.n for estimate in of.estimates), default=0)
    return {"name": name, "alias": of.told.config.get("task_alias", name), "sample_len": length, **numbers}


def _of_group(name: str, of: Group, per_task: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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


def model_of(run: Run, cell: CellResult) -> str:
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
