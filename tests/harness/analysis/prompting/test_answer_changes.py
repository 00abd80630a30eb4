"""Answers that change where the question is put otherwise: counted by document, told where nothing can be paired."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from harness.analysis.prompting.answer_changes import ANSWER_CHANGES, AnswerChangesSettings
from harness.results.finding import Finding
from harness.results.run import Run

PLAIN = [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
SWAYED = [0, 0, 0, 1, 1, 0, 1, 1, 1, 0]
BETWEEN: dict[str, Any] = {"task": ["plain", "wrong", "right"]}


def _cell(builders: ModuleType, task: str, right: Sequence[int], first: int = 0) -> tuple[dict[str, Any], Any]:
    rows = []
    for document, one in enumerate(right):
        row = builders.choice_row(document, f"{task} {document}", ["a", "b"], [-1.0, -2.0 if one else -0.5], task=task)
        rows.append(row | {"doc": json.dumps({"q": document + first})})
    return {}, rows


@pytest.fixture(scope="module")
def asked(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> Run:
    cells = [_cell(task_builders, "plain", PLAIN), _cell(task_builders, "wrong", SWAYED)]
    cells += [_cell(task_builders, "right", PLAIN), _cell(task_builders, "elsewhere", PLAIN, first=100)]
    return task_ladder({("nano", 1000): cells})


def _found(run: Run, **settings: Any) -> dict[tuple[str, str], Finding]:
    found = ANSWER_CHANGES.run(run, AnswerChangesSettings(**settings))
    return {(str(one.subject.get("change")), one.name): one for one in found}


def test_changes_are_counted_both_ways(asked: Run) -> None:
    found = _found(asked, between=BETWEEN)
    changed = found["task plain to wrong", "changed"]
    assert (changed.value, changed.n, changed.data) == (50.0, 10, {"right_to_wrong": 4, "wrong_to_right": 1})
    assert changed.low is not None and changed.high is not None and changed.low < 50 < changed.high
    gain = found["task plain to wrong", "gain"]
    assert gain.value == pytest.approx(-30) and gain.note == "80.0% right to 50.0%"
    assert found["task plain to right", "changed"].value == 0
    assert found["task plain to right", "gain"].value == 0


def test_a_finding_says_what_tells_it_from_others(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> None:
    cells = [
        ({"chat": chat}, _cell(task_builders, task, PLAIN)[1]) for chat in (False, True) for task in ("plain", "wrong")
    ]
    found = ANSWER_CHANGES.run(
        task_ladder({("nano", 1000): cells}), AnswerChangesSettings(between={"task": ["plain", "wrong"]})
    )
    assert [(one.name, one.subject["chat"]) for one in found] == [
        *(("changed", False), ("gain", False), ("changed", True), ("gain", True))
    ]


def test_other_documents_are_not_paired(asked: Run) -> None:
    found = _found(asked, between={"task": ["plain", "elsewhere"]})
    only = found["task plain to elsewhere", "changed"]
    assert only.value is None and "share 0 of 10 and 10 documents" in only.note


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"between": {"task": ["plain", "wring"]}}, "no task was asked with task plain and wring"),
        ({"between": {"chat": [False, True]}}, "no task was asked with chat no and yes"),
        ({"between": BETWEEN, "where": {"model": "maxi"}}, "there are: nano"),
        ({"between": BETWEEN, "of": ["pass@1"]}, "judged by pass@1"),
    ],
)
def test_what_is_not_there_is_told(asked: Run, settings: dict[str, Any], told: str) -> None:
    (only,) = ANSWER_CHANGES.run(asked, AnswerChangesSettings(**settings))
    assert only.failed and told in only.note


@pytest.mark.parametrize("between", [{}, {"task": ["a"]}, {"task": ["a", "a"]}, {"task": ["a", "b"], "chat": [True]}])
def test_settings_that_compare_nothing_are_refused(between: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnswerChangesSettings(between=between)
