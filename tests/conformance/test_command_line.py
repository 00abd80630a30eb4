"""A command line of lm-eval, and the same one with the program's name replaced: the numbers of both are the same.

Skipped where lm-eval is not installed (`HARNESS_LM_EVAL_PYTHON` names an interpreter that has it)."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORDS = "The river runs through old town land question answer long wall seven bird".split()  # noqa: SIM905
LINES = (
    "--model hf --model_args pretrained=model,dtype=float32 --tasks zz_walls --include_path tasks --num_fewshot 2 "
    "--batch_size 1 --device cpu",
    "--model hf --model_args pretrained=model,dtype=float32 --tasks zz_want*,zz_bir?s --include_path tasks --limit 7",
)
TASK = """
task: {name}
tag: {tag}
dataset_path: json
dataset_kwargs: {{data_files: {{train: data/train.jsonl, test: data/test.jsonl}}}}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture
def folder(tmp_path: Path, tiny: Path) -> Path:
    """A working folder with a model, two tasks, a group of one and a tag of the other, and their data."""
    draw = random.Random(0)

    def row() -> dict[str, Any]:
        choices = [" ".join(draw.choices(WORDS, k=draw.randint(1, 5))) for _ in range(4)]
        return {"question": " ".join(draw.choices(WORDS, k=6)), "choices": choices, "label": draw.randrange(4)}

    for name in ("data", "tasks"):
        (tmp_path / name).mkdir()
    for split in ("train", "test"):
        rows = (json.dumps(row()) + "\n" for _ in range(30))
        (tmp_path / f"data/{split}.jsonl").write_text("".join(rows), encoding="utf-8")
    (tmp_path / "tasks/walls.yaml").write_text(TASK.format(name="zz_walls", tag="zz_birds"), encoding="utf-8")
    (tmp_path / "tasks/towns.yaml").write_text(TASK.format(name="zz_towns", tag="zz_fish"), encoding="utf-8")
    group = "group: zz_wanted\ntask: [zz_towns]\naggregate_metric_list: [{metric: acc, weight_by_size: true}]\n"
    (tmp_path / "tasks/wanted.yaml").write_text(group, encoding="utf-8")
    (tmp_path / "model").symlink_to(tiny)
    return tmp_path


def results(program: list[str], line: str, folder: Path, out: str) -> dict[str, dict[str, Any]]:
    """Of every task and group, the numbers in the file that a program writes."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [*program, *shlex.split(line), "--output_path", out],
        cwd=folder,
        env=environment | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, dict[str, Any]] = {}
    for file in (folder / out).glob("*/results_*.json"):
        for name, numbers in json.loads(file.read_text(encoding="utf-8"))["results"].items():
            found[name] = {key: value for key, value in numbers.items() if key.startswith("acc")}
    return found


@pytest.mark.parametrize("line", LINES)
def test_the_numbers_are_those_of_lm_eval(bench: Any, folder: Path, line: str, tmp_path: Path) -> None:
    theirs = results([bench.python, "-m", "lm_eval"], line, folder, "theirs")
    ours = results([sys.executable, "-m", "harness", "eval"], line, folder, "ours")
    assert theirs and {name: ours.get(name, {}).keys() for name in theirs} == {
        name: numbers.keys() for name, numbers in theirs.items()
    }
    for name, numbers in theirs.items():
        for key, value in numbers.items():
            expected = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert ours[name][key] == expected, f"{name} {key}"
