"""lm-evaluation-harness' own `results_*.json` and `samples_*.jsonl`, imported: values, standard errors and flips are
those of its files. Skipped where it is not installed (`HARNESS_LM_EVAL_PYTHON` names an interpreter that has it)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import harness
from harness.errors import UserError
from harness.results.record import Record
from harness.results.run import Run

HERE = Path(__file__).parent
TASKS = ["pair", "texts", "no_context", "chosen_in_writing"]
IN_PAIR = ["by_letter", "prefixed_choice"]
DOCUMENTS = 12


def evaluated(bench: Any, model: Path, out: Path) -> Path:
    """The folder of lm-eval's files."""
    told = {"model": str(model), "task_files": str(bench.folder), "tasks": TASKS, "documents": DOCUMENTS}
    out.mkdir()
    (out / "job.json").write_text(json.dumps(told | {"out": str(out)}))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [bench.python, str(HERE / "peer_files.py"), str(out / "job.json")],
        env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    (results,) = out.glob("*/results_*.json")
    return results.parent


@pytest.fixture(scope="module")
def files(bench: Any, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of a model, and of the same after some training that made it another: at one path, so that one name is both's."""
    (bench.folder / "pair.yaml").write_text(
        f"group: pair\ntask: [{', '.join(IN_PAIR)}]\naggregate_metric_list: [{{metric: acc}}]\n"
    )
    folder = tmp_path_factory.mktemp("importing")
    model = Path(shutil.copytree(tiny, folder / "model"))
    before = evaluated(bench, model, folder / "before")
    weights = load_file(model / "model.safetensors")
    noise = torch.Generator().manual_seed(0)
    moved = {
        name: one + 0.05 * torch.randn(one.shape, generator=noise) if one.is_floating_point() else one
        for name, one in weights.items()
    }
    save_file(moved, model / "model.safetensors", {"format": "pt"})
    return before, evaluated(bench, model, folder / "after")


@pytest.fixture(scope="module")
def runs(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    out = tmp_path_factory.mktemp("runs")
    before, after = (harness.import_results(*sorted(folder.glob("*.json*")), out=out) for folder in files)
    return before, after


def told(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("results_*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def samples(folder: Path, task: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def record(run: Run, task: str, metric: str, pipeline: str) -> Record:
    """The only one that can be meant: a group's cell has its tasks as parts, and a filter is named where it isn't
    `none`."""
    top = "pair" if task in IN_PAIR else task
    (cell,) = [one for one in run.cells if one.settings["task"] == top]
    part = "/".join([*([task] if task != top else []), *([pipeline] if pipeline != "none" else [])]) or None
    (found,) = [one for one in cell.records if (one.metric, one.part) == (metric, part)]
    return found


def test_every_value_and_standard_error_is_lm_evals(files: tuple[Path, Path], runs: tuple[Run, Run]) -> None:
    seen = 0
    for folder, run in zip(files, runs, strict=True):
        for task, results in told(folder)["results"].items():
            for key, value in results.items():
                metric, comma, pipeline = key.partition(",")
                if not comma or metric.endswith("_stderr"):
                    continue
                found, error = record(run, task, metric, pipeline), results.get(f"{metric}_stderr,{pipeline}")
                assert found.value == pytest.approx(value, rel=1e-12), key
                if isinstance(error, float):
                    assert found.low is not None and found.high is not None
                    assert (found.low, found.high) == pytest.approx((value - 1.96 * error, value + 1.96 * error))
                else:
                    assert error == "N/A" or error is None
                    assert found.low is None and "N/A" in str(found.interval)
                seen += 1
        assert run.manifest.models[run.cells[0].model]["kind"] == "lm-eval"
        assert all(cell.settings["documents"] == DOCUMENTS and not cell.notes for cell in run.cells)
    assert seen >= 12


def test_two_imports_pair_by_document(files: tuple[Path, Path], runs: tuple[Run, Run]) -> None:
    difference = harness.diff(runs[0].folder, runs[1].folder)
    flipped = 0
    for task in IN_PAIR:
        before, after = ({one["doc_id"]: one["acc"] for one in samples(folder, task)} for folder in files)
        counts = difference.counts.query("task == @task and metric == 'acc'").iloc[0]
        assert counts["paired"] == len(before) == len(after) == DOCUMENTS
        lost = {one for one in before if before[one] > after[one]}
        won = {one for one in before if before[one] < after[one]}
        assert (counts["only_base"], counts["only_head"]) == (len(lost), len(won))
        assert counts["both"] == sum(before[one] == after[one] == 1 for one in before)
        flips = difference.flips.query("task == @task and metric == 'acc'")
        assert {one["document"]: bool(one["head_right"]) for one in flips.to_dict("records")} == {
            **dict.fromkeys(lost, False), **dict.fromkeys(won, True)
        }  # fmt: skip
        flipped += len(lost) + len(won)
    assert flipped > 0, "the two models answer alike: nothing was shown"


def test_samples_of_the_other_model_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Known bad: lm-eval's hash of samples is of the questions alone, so both models' have the same."""
    (results,) = files[0].glob("results_*.json")
    (other,) = files[1].glob("samples_by_letter_*.jsonl")
    if told(files[0])["results"]["by_letter"]["acc,none"] == told(files[1])["results"]["by_letter"]["acc,none"]:
        pytest.skip("both models have as many right")
    with pytest.raises(UserError):
        harness.import_results(results, other, out=tmp_path)
