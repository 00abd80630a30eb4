"""The slope of a score over few-shot examples, and of that slope over size, against slow obvious ways."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.prompting.few_shot_slope import FEW_SHOT_SLOPE, FewShotSlopeSettings
from harness.analysis.prompting.few_shot_tables import few_shot_slopes, slope_over_size
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.run import Run
from harness.statistics.intervals import jackknife

SHOTS = (0, 1, 3, 7)
DOCUMENTS = 150
SIZES = {"tiny": 10**5, "small": 10**6, "large": 10**7}


def _chance(model: str, shots: int) -> float:
    return 0.3 + {"tiny": 0.0, "small": 0.05, "large": 0.12}[model] * math.log2(shots + 1)


def _right(model: str) -> np.ndarray:
    """(documents, shots): whether each is right; a document is as hard with any number of examples."""
    ease = np.random.default_rng(1).uniform(size=DOCUMENTS)
    return np.stack([(ease < _chance(model, shots)) for shots in SHOTS], axis=1)


@pytest.fixture(scope="module")
def ladder(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> Run:
    answers = {}
    for model, size in SIZES.items():
        asked = []
        for column, shots in enumerate(SHOTS):
            rows = [
                task_builders.choice_row(number, f"Q{number}", ["a", "b"], (-1.0, -2.0) if right else (-2.0, -1.0))
                for number, right in enumerate(_right(model)[:, column])
            ]
            asked.append(({"shots": shots}, rows))
        answers[model, size] = asked
    return task_ladder(answers)


def _named(findings: list[Finding], name: str) -> list[Finding]:
    return [item for item in findings if item.name == name]


def test_a_slope_is_the_mean_of_the_documents_own_slopes(ladder: Run) -> None:
    found = _named(FEW_SHOT_SLOPE.run(ladder, FewShotSlopeSettings()), "slope")
    assert [item.subject["model"] for item in found] == list(SIZES)
    x = np.log2(np.array(SHOTS) + 1)
    for item in found:
        own = 100 * np.array([np.polyfit(x, row, 1)[0] for row in _right(str(item.subject["model"])).astype(float)])
        low, high = stats.t.interval(0.95, DOCUMENTS - 1, own.mean(), stats.sem(own))
        assert item.value == pytest.approx(own.mean())
        if own.std() > 0:
            assert [item.low, item.high] == pytest.approx([low, high], rel=1e-6)


def test_the_slope_over_size_is_paired_over_all_models(ladder: Run) -> None:
    (found,) = _named(FEW_SHOT_SLOPE.run(ladder, FewShotSlopeSettings()), "slope_over_size")
    x = np.log2(np.array(SHOTS) + 1)
    own = np.array([[np.polyfit(x, row, 1)[0] for row in _right(model).astype(float)] for model in SIZES])
    each = 100 * np.polyfit(np.log10(list(SIZES.values())), own, 1)[0]
    low, high = stats.t.interval(0.95, DOCUMENTS - 1, each.mean(), stats.sem(each))
    assert found.value == pytest.approx(each.mean())
    assert [found.low, found.high] == pytest.approx([low, high], rel=1e-6)
    assert low > 0


def test_a_ratio_is_paired_by_document_too(ladder: Run) -> None:
    """Bits per byte: against a jackknife over documents."""
    (found,) = _named(
        FEW_SHOT_SLOPE.run(ladder, FewShotSlopeSettings(of=["gold_bits_per_byte"], where={"model": "large"})), "slope"
    )
    bits = np.where(_right("large"), 1.0, 2.0) / math.log(2)  # of an answer of one byte
    x = np.log2(np.array(SHOTS) + 1)
    without = [np.polyfit(x, np.delete(bits, number, axis=0).mean(axis=0), 1)[0] for number in range(DOCUMENTS)]
    value, low, high, _ = jackknife(float(np.polyfit(x, bits.mean(axis=0), 1)[0]), without)
    assert low is not None and high is not None
    assert [found.value, found.low, found.high] == pytest.approx([value, low, high], rel=1e-3)
    assert "lower is better" in found.note


def test_two_sizes_have_no_slope_over_size(ladder: Run) -> None:
    found = FEW_SHOT_SLOPE.run(ladder, FewShotSlopeSettings(where={"model": ["tiny", "small"]}))
    (over,) = _named(found, "slope_over_size")
    assert over.value is None and "at least 3 sizes" in over.note


def test_scores_that_leave_the_line_are_flagged(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> None:
    """The whole change comes with the first example, as where examples only show the form of an answer."""
    asked = []
    for shots in SHOTS:
        rows = [
            task_builders.choice_row(number, f"Q{number}", ["a", "b"], (-1, -2) if number % 10 < share else (-2, -1))
            for number in range(100)
            for share in [2 if shots == 0 else 8]
        ]
        asked.append(({"shots": shots}, rows))
    (found,) = _named(FEW_SHOT_SLOPE.run(task_ladder({("one", 10**6): asked}), FewShotSlopeSettings()), "slope")
    assert "do not lie on a line" in found.note


def test_tables_give_slopes_and_their_change_with_size() -> None:
    rows = [
        {"model": model, "parameters": size, "shots": shots, "right": round(400 * _chance(model, shots)), "n": 400}
        for model, size in SIZES.items()
        for shots in SHOTS
    ]
    found = few_shot_slopes(pd.DataFrame(rows), "correct")
    assert dict(zip(found["model"], found["slope"], strict=True)) == pytest.approx(
        {"tiny": 0.0, "small": 5.0, "large": 12.0}, abs=0.3
    )
    over = slope_over_size(found)
    assert over.value == pytest.approx(6.0, abs=0.2)
    assert over.low < over.value < over.high
    with pytest.raises(UserError, match="at least 3 sizes"):
        slope_over_size(found[found["model"] != "tiny"])
    with pytest.raises(UserError, match="one number of shots"):
        few_shot_slopes(pd.DataFrame(rows[:1]), "correct")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shots": [-1, 1, 4] * 3}, "-1.0 is no number of examples"),
        ({"shots": [0.5, 1, 4] * 3}, "0.5 is no number of examples"),
        ({"shots": [math.nan, 1, 4] * 3}, "nan is no number of examples"),
        ({"shots": [math.inf, 1, 4] * 3}, "inf is no number of examples"),
        ({"parameters": math.nan}, "size is not known"),
    ],
)
def test_bad_tables_are_refused_by_name(change: dict[str, Any], told: str) -> None:
    sizes = [10**6] * 3 + [10**7] * 3 + [10**8] * 3
    frame = pd.DataFrame({"parameters": sizes, "shots": [0, 1, 4] * 3, "right": 10, "n": 100})
    assert len(few_shot_slopes(frame, "correct")) == 3
    with pytest.raises(UserError, match=told):
        few_shot_slopes(frame.assign(**change), "correct")
    with pytest.raises(UserError, match="no rows"):
        few_shot_slopes(frame.iloc[:0], "correct")
    tasks = pd.concat([frame.assign(task=task) for task in ("a", "b")])
    with pytest.raises(UserError, match="several tasks"):
        slope_over_size(few_shot_slopes(tasks, "correct"))


def test_a_run_without_shots_says_what_is_missing(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> None:
    rows = [task_builders.choice_row(number, "Q", ["a", "b"], (-1, -2)) for number in range(5)]
    (found,) = FEW_SHOT_SLOPE.run(task_ladder({("one", 10**6): [({"shots": 0}, rows)]}), FewShotSlopeSettings())
    assert found.value is None and "shots: [0, 1, 2, 4]" in found.note
