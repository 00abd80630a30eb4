"""Our `results_*.json` and `samples_*.jsonl` against lm-evaluation-harness' own, key by key and value by value."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.execution.allowed import Allowed
from harness.report.lm_eval_files import write_lm_eval
from harness.workflow import run

HERE = Path(__file__).parent
TASKS = ["pair_of_tasks", "texts", "no_context", "chosen_in_writing", "shown_otherwise", "nested"]
SAMPLES = ["by_letter", "prefixed_choice", *TASKS[1:-1], "z_one", "m_two", "a_three", "measured", "no_more"]
GROUPS = {
    "pair_of_tasks": "group_alias: Pair\ntask: [by_letter, prefixed_choice]\n"
    "aggregate_metric_list: [{metric: acc}]\nmetadata: {version: 3}\n",
    "nested": "task: [z_within, only_groups, measured, a_within]\naggregate_metric_list: [{metric: acc}]\n",
    "z_within": "task: [z_one, m_two]\naggregate_metric_list: [{metric: acc}, {metric: acc_norm}]\n",
    "only_groups": "task: [b_within]\naggregate_metric_list: [{metric: nothing}]\n",
    "a_within": "task: [no_more]\n",
    "b_within": "task: [a_three]\nmetadata: {version: null}\n",
}
"""The groups' own order is not that of their names, and some within have nothing that could be summed up."""
ALONE = {
    "z_one": "metric_list: [{metric: acc}, {metric: acc_norm, higher_is_better: false}, {metric: acc_bytes}]\n",
    "m_two": "metric_list: [{metric: acc, higher_is_better: null}, {metric: acc_norm}]\n",
    "no_more": "metric_list: [{metric: acc_bytes}]\n",
    "a_three": "metric_list: [{metric: acc_norm}]\n",
    "measured": "output_type: generate_until\ndoc_to_choice: null\ndoc_to_target: '{{choices[answer]}}'\n"
    "generation_kwargs: {until: ['zzz'], max_gen_toks: 4}\nmetric_list:\n"
    "  - {metric: !function measured.lengths, aggregation: mean, higher_is_better: false}\n  - {metric: exact_match}\n",
}
HELPER = """
def lengths(references, predictions):
    return {"words": len(predictions[0].split()), "characters": len(predictions[0])}
"""
ORDERED = ("results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples")
UNKNOWN = {
    *("/tokenizer_pad_token", "/tokenizer_eos_token", "/tokenizer_bos_token", "/eot_token_id", "/max_length"),
    *("/config/model_revision", "/config/model_sha", "/config/batch_size", "/config/model_args/dtype", "/date"),
    *("/pretty_env_info", "/total_evaluation_time_seconds", "/git_hash", "/upper_git_hash", "/config/limit"),
    *("/harness_version", "/fewshot_as_multiturn", "/transformers_version", "/config/gen_kwargs"),
}
"""What a run doesn't know, or knows better, or what is of another moment."""


@pytest.fixture(scope="module")
def both(bench: Any, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of lm-eval's files and of ours."""
    for name, text in GROUPS.items():
        (bench.folder / f"{name}.yaml").write_text(f"group: {name}\n{text}")
    for name, text in ALONE.items():
        (bench.folder / f"{name}.yaml").write_text(f"task: {name}\ninclude: _base.yaml\n{text}")
    (bench.folder / "measured.py").write_text(HELPER)
    folder = tmp_path_factory.mktemp("files")
    told = {"model": str(tiny), "task_files": str(bench.folder), "tasks": TASKS, "documents": 3}
    (folder / "job.json").write_text(json.dumps(told | {"out": str(folder / "theirs")}))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [bench.python, str(HERE / "peer_files.py"), str(folder / "job.json")],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    (folder / "suite.yaml").write_text(
        f"name: files\nmodels: {{tiny: {{transformers: {tiny}}}}}\ntasks: {{paths: [{bench.folder}]}}\n"
        f"measures:\n  - task: {{task: [{', '.join(TASKS)}], documents: 3, shots: 0, mode: lm-eval}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        ours = run(str(folder / "suite.yaml"), out=folder / "runs", allowed=Allowed(task_code=True))
        write_lm_eval(ours, folder / "ours")
    return folder / "theirs", folder / "ours"


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    if path in UNKNOWN:
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() | ours.keys():
            inner = f"{path}/{key}"
            if inner in UNKNOWN or (path.endswith("/metadata") and key in ("pretrained", "dtype", "config_source")):
                continue
            if key not in theirs or key not in ours:
                yield f"{inner} is only {'ours' if key in ours else 'theirs'}"
            else:
                yield from differences(theirs[key], ours[key], inner)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for place, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif not _alike(theirs, ours):
        yield f"{path} is {theirs!r:.100} against {ours!r:.100}"


def _alike(theirs: Any, ours: Any) -> bool:
    """Numbers, also those that are written as texts, within what fp32 determines."""
    if theirs == ours:
        return True
    try:
        return type(theirs) is type(ours) and math.isclose(float(theirs), float(ours), rel_tol=2e-5, abs_tol=1e-4)
    except (TypeError, ValueError):
        return False


def only(folder: Path, name: str) -> Path:
    [path] = folder.glob(f"*/{name}_2*")
    return path


def test_the_same_folders_and_names(both: tuple[Path, Path]) -> None:
    for name in ("results", *(f"samples_{task}" for task in SAMPLES)):
        theirs, ours = (only(folder, name) for folder in both)
        assert theirs.parent.name == ours.parent.name and theirs.suffix == ours.suffix
        assert len(theirs.name) == len(ours.name)
    assert len(list(both[0].glob("*/*"))) == len(list(both[1].glob("*/*")))


def test_the_same_results(both: tuple[Path, Path]) -> None:
    theirs, ours = (json.loads(only(folder, "results").read_text(encoding="utf-8")) for folder in both)
    assert list(differences(theirs, ours)) == []


@pytest.mark.parametrize("section", ORDERED)
def test_the_same_order(both: tuple[Path, Path], section: str) -> None:
    """Of names, and of the metrics of each."""
    theirs, ours = (json.loads(only(folder, "results").read_text(encoding="utf-8"))[section] for folder in both)
    assert list(theirs) == list(ours)
    if section == "higher_is_better":
        assert {name: list(one) for name, one in theirs.items()} == {name: list(one) for name, one in ours.items()}


@pytest.mark.parametrize("task", SAMPLES)
def test_the_same_samples(both: tuple[Path, Path], task: str) -> None:
    theirs, ours = (
        [json.loads(line) for line in only(folder, f"samples_{task}").read_text(encoding="utf-8").splitlines()]
        for folder in both
    )
    assert theirs and list(differences(theirs, ours)) == []


def test_the_comparison_sees_a_difference() -> None:
    assert list(differences({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}], "c": 1})) != []
    assert list(differences({"a": "-1.00001"}, {"a": "-1.00002"})) == []
