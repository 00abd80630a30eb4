"""The chart of right answers: a panel per task, a rule at chance, the flexible extraction alone."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from harness.charts.answers import answer_values, answers
from harness.charts.speed import RATES
from harness.results.record import CellResult, Record
from harness.results.run import Run


@pytest.fixture
def asked(tmp_path: Path, task_builders: ModuleType) -> Run:
    """Two models, a task by choice and a written one with two extractions."""
    b, cells = task_builders, []
    for model, share in (("nano", 0.25), ("mini", 0.75)):
        chosen = [b.choice_row(0, "Q", ["yes", "no"], [-2.0, -3.0])]
        written = [b.written_row(0, "Q", [" 5"], "5", {"strict-match": "4", "flexible-extract": "5"})]
        for rows, metric, parts in (
            (chosen, "acc", [None]),
            (written, "exact_match", ["strict-match", "flexible-extract"]),
        ):
            cell = b.task_cell(tmp_path, rows, model=model)
            records = [record(cell, metric, part, share) for part in parts]
            cells.append(cell.model_copy(update={"records": records}))
    run: Run = b.task_run(tmp_path, cells)
    return run


def record(cell: CellResult, metric: str, part: str | None, share: float) -> Record:
    return Record(
        key=cell.key,
        model=cell.model,
        measure="task",
        axes=cell.axes,
        settings=cell.settings,
        part=part,
        metric=metric,
        metric_id=f"{metric}@1",
        value=share,
        unit="share",
        low=share - 0.1,
        high=share + 0.1,
        interval="Wilson over documents",
        n=8,
        parameters=1000,
    )


def test_runs_without_tasks_have_no_chart(finished_run: Run) -> None:
    assert answers(finished_run) is None


def test_every_task_has_its_points(asked: Run) -> None:
    rows = answer_values(asked)
    assert {(row["model"], row["task"]) for row in rows} == {
        (m, t) for m in ("nano", "mini") for t in ("capitals", "sums")
    }
    assert all(row["share_low"] <= row["share"] <= row["share_high"] for row in rows)
    assert all("strict-match" not in row["way"] for row in rows)
    assert {row["share"] for row in rows if row["task"] == "capitals"} == {0.25, 0.75}
    chart = answers(asked)
    assert chart is not None and chart.to_dict()["facet"]["field"] == "task"


@pytest.mark.parametrize(
    ("metrics", "drawn"),
    [
        (["exact_match", "acc"], "acc"),
        (["accuracy", "exact_match"], "exact_match"),
        (["extraction_failure", "accuracy"], "accuracy"),
        (["pass@10", "pass@5", "pass@1"], "pass@1"),
        (["acc_norm", "my_own"], None),
    ],
)
def test_of_several_metrics_the_first_is_drawn_that_is_declared_to_be_right_answers(
    task_builders: ModuleType, tmp_path: Path, metrics: list[str], drawn: str | None
) -> None:
    cell = task_builders.task_cell(tmp_path, [task_builders.choice_row(0, "Q", ["yes", "no"], [-2.0, -3.0])])
    shares = {metric: (place + 2) / 10 for place, metric in enumerate(metrics)}
    records = [record(cell, metric, None, share) for metric, share in shares.items()]
    rows = answer_values(task_builders.task_run(tmp_path, [cell.model_copy(update={"records": records})]))
    assert [row["share"] for row in rows] == ([] if drawn is None else [shares[drawn]])


def test_the_panels_of_speed_are_of_declared_rates() -> None:
    assert RATES == {"prefill_rate": "prefill, tokens/s", "decode_rate": "decode, tokens/s"}
