from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.comparison.paired_quality import judge_quality
from harness.evidence.per_document import per_document
from harness.evidence.selection import Point
from harness.measures.task.samples.cell import Group, groups_stored
from harness.results.record import Direction, Record
from harness.statistics.speed_decision import Decision
from tests.harness import task_builders as b

SIZES = {"large": 40, "small": 8}


def group(folder: Path, wrong: dict[str, int], value: float, *, equally: bool = True, part: str | None = None) -> Point:
    """A group of two tasks, of each so many documents answered wrongly."""
    rows = [
        b.choice_row(n, f"{task} {n} is", ["a", "b"], (-3.0, -1.0) if n < wrong[task] else (-1.0, -3.0), task=task)
        for task, size in SIZES.items()
        for n in range(size)
    ]
    frame = b.samples(rows)
    inner = Group("pair", "p.yaml", None, tuple(SIZES), ({"metric": "acc", "weight_by_size": not equally},), {})
    outer = Group("all", "a.yaml", None, ("pair",), ({"metric": "acc", "weight_by_size": not equally},), {})
    frame.loc[0, "groups"] = groups_stored((outer, inner))
    cell = b.task_cell(folder, frame)
    record = Record(
        key=cell.key,
        model=cell.model,
        measure="task",
        metric="acc",
        metric_id="acc@1",
        unit="share",
        direction=Direction.HIGHER,
        part=part,
        value=value,
    )
    return Point(b.task_run(folder, [cell]), cell, record)


def macro(wrong: dict[str, int]) -> float:
    return float(np.mean([1 - wrong[task] / size for task, size in SIZES.items()]))


@pytest.mark.parametrize("part", [None, "pair"], ids=["the whole", "a group within"])
@pytest.mark.parametrize("equally", [True, False], ids=["by tasks", "by documents"])
def test_a_group_has_evidence_however_its_tasks_count(equally: bool, part: str | None, tmp_path: Path) -> None:
    wrong = {"large": 4, "small": 4}
    point = group(tmp_path, wrong, macro(wrong) if equally else 1 - 8 / 48, equally=equally, part=part)
    found = per_document(point)
    assert found is not None
    assert found.sums.sum() / found.weights.sum() == pytest.approx(point.record.value)
    assert found.weights.sum() == pytest.approx(48)
    assert set(found.weights.round(6)) == ({3.0, 0.6} if equally else {1.0})


def test_of_one_task_only_its_documents_count(tmp_path: Path) -> None:
    found = per_document(group(tmp_path, {"large": 4, "small": 4}, 0.5, part="small"))
    assert found is not None and len(found.documents) == 8 and set(found.weights) == {1.0}


def test_another_number_has_none(tmp_path: Path) -> None:
    assert per_document(group(tmp_path, {"large": 4, "small": 4}, 0.5)) is None
    by_documents = 1 - 8 / 48
    assert per_document(group(tmp_path / "b", {"large": 4, "small": 4}, by_documents)) is None, "tasks count equally"


def test_the_loss_of_a_small_task_is_judged_at_its_weight(tmp_path: Path) -> None:
    before, after = {"large": 0, "small": 0}, {"large": 0, "small": 8}
    base, head = group(tmp_path / "a", before, macro(before)), group(tmp_path / "b", after, macro(after))
    judged = judge_quality(base, head, 0.02)
    assert judged.decision is Decision.FAIL, judged.sentence
    assert judged.change.value == pytest.approx(-0.5) and judged.details["lost"] == 8
    same = judge_quality(base, group(tmp_path / "c", before, macro(before)), 0.02)
    assert same.decision is Decision.PASS
