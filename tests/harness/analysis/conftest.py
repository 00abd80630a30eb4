"""Runs of the measure `task` over a ladder of sizes, without a model: rows of samples become cells with records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.measures.measure import Facts
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.results.record import CellResult, Record, Status
from harness.results.run import Run
from harness.tasks.judging.metric_table import BUILT_IN

Rows = Sequence[dict[str, Any]]
Answers = Mapping[tuple[str, int], Sequence[tuple[dict[str, Any], Rows]]]
"""(model, parameters) -> of each of its cells the settings and the rows of samples."""


@pytest.fixture(scope="session")
def task_ladder(task_builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Answers], Run]:
    """Writes a run whose records come from the measure's own arithmetic."""

    def write(answers: Answers) -> Run:
        folder: Path = tmp_path_factory.mktemp("ladder")
        (folder / "samples").mkdir()
        cells = [
            _cell(folder, task_builders, model, size, settings, rows)
            for (model, size), asked in answers.items()
            for settings, rows in asked
        ]
        run: Run = task_builders.task_run(folder, cells)
        return run

    return write


def _whole(spec: str) -> str:
    """The specification with every built-in metric as its table sums it up."""
    told = json.loads(spec)
    metrics = {
        name: {
            "aggregation": "mean" if name == "brier_score" else built_in.aggregation,
            "direction": built_in.metric.direction.value,
            "listed": True,
        }
        for name, built_in in BUILT_IN.items()
    }
    return json.dumps(told | {"metrics": metrics})


def _cell(
    folder: Path, builders: ModuleType, model: str, size: int, settings: dict[str, Any], rows: Rows
) -> CellResult:
    samples = builders.samples([row | {"spec": _whole(row["spec"])} for row in rows])
    task = str(samples["task"].iloc[0])
    given = TaskSettings(task=task, **settings)
    told = given.model_dump(mode="json")
    key = f"{abs(hash((model, str(told)))):016x}"
    samples.to_parquet(folder / "samples" / f"{key}.parquet")
    records = [
        Record(
            key=key,
            model=model,
            measure="task",
            axes={"precision": "fp32"},
            settings=told,
            **found.fields(),
            parameters=size,
            parameters_non_embedding=size // 2,
        )
        for found in summarize(samples, given, Facts(identity=None))  # type: ignore[arg-type]
    ]
    return CellResult(
        key=key,
        model=model,
        measure="task",
        axes={"precision": "fp32"},
        settings=told,
        status=Status.OK,
        records=records,
        samples=f"samples/{key}.parquet",
    )
