"""Which comparisons `harness bench` makes of models, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.benchmarking import ratios as module
from harness.benchmarking.ratios import frame, how_many, ratios, variants
from harness.errors import UserError
from harness.gate.lockstep.question import Question
from harness.statistics.intervals import Interval


class _Begun:
    """A comparison whose launches are counted."""

    def __init__(self, question: Question) -> None:
        self.question, self.folder, self.launches = question, Path("here"), 0
        self.lockstep = self

    def go_on(self, launches: int) -> None:
        self.launches += launches
        model = self.question.b.model  # type: ignore[union-attr]
        if model.precision == "int4" and self.launches == 2:
            raise UserError("the process ended")

    def concluded(self) -> Any:
        ratio = Interval(0.5, 0.4, 0.6, self.launches)
        return type("Comparison", (), {"outcome": type("Outcome", (), {"wall_ratio": ratio, "scatter": 0.01})})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    questions: list[Question] = []

    def begin(question: Question) -> _Begun:
        questions.append(question)
        return _Begun(question)

    monkeypatch.setattr(module, "begin", begin)
    return questions


def test_all_against_the_first(asked: list[Question], tmp_path: Path) -> None:
    compared = variants({"m": {"reference": "f", "matrix": {}}, "n": {"transformers": "g"}}, ["fp32", "int4"])
    assert [str(one) for one in compared] == ["m fp32", "m int4", "n fp32", "n int4"]
    assert how_many(len(compared), [1, 8]) == 12
    told: list[str] = []
    found = ratios(compared, batch=[1, 8], prompt=16, new=4, run=tmp_path, launches=6, device="cpu", tell=told.append)
    assert len(found) == 12
    assert {(question.work.part, question.work.batch) for question in asked} == {
        (part, batch) for part in ("prefill", "decode") for batch in (1, 8)
    }
    assert all(question.a.model.precision == "fp32" and question.clock == "wall" for question in asked)  # type: ignore[union-attr]
    assert told[0] == "m int4 against m fp32, ttft, batch 1: launch 1 (1 of 72 in all)"
    assert "left)" in told[-1]
    table = frame(found)
    good = table[table["why_not"] == ""]
    assert set(good["head"]) == {"n fp32"} and set(good["launches"]) == {6} and set(good["ratio"]) == {0.5}
    assert set(table[table["why_not"] != ""]["why_not"]) == {"the process ended"}


def test_nothing_to_compare(asked: list[Question], tmp_path: Path) -> None:
    assert ratios(variants({"m": {}}, []), batch=[1], prompt=1, new=2, run=tmp_path) == []
    assert list(frame([]).columns) == list(frame([]).columns) and frame([]).empty
    with pytest.raises(UserError, match="is a number from 1"):
        ratios(variants({"m": {}}, []), batch=[1], prompt=1, new=2, run=tmp_path, launches=0)


def test_the_table_says_what_has_no_ratio(asked: list[Question], tmp_path: Path) -> None:
    from harness.cli.bench import ratios_table

    found = ratios(variants({"m": {}}, ["fp32", "int8", "int4"]), batch=[1], prompt=1, new=2, run=tmp_path)
    rows = [row.cells for row in ratios_table(found).rows]
    assert rows[0][4] == "0.50 [0.40, 0.60]" and rows[2][4] == "the process ended"
