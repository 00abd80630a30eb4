"""SQuAD's scores, worked out by hand from the rules of its own script."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.code.evaluate_module import evaluate_module, squad, squad_v2


def pairs(*rows: tuple[str, str, list[str], float]) -> dict[str, Any]:
    return {
        "predictions": [{"id": i, "prediction_text": text, "no_answer_probability": p} for i, text, _, p in rows],
        "references": [{"id": i, "answers": {"text": answers, "answer_start": [0]}} for i, _, answers, _ in rows],
    }


@pytest.mark.parametrize(
    ("said", "answers", "exact", "f1"),
    [
        ("The Cat!", ["cat"], 100, 100),
        ("a red cat", ["cat", "red dog"], 0, 200 / 3),
        ("", ["cat"], 0, 0),
        ("dog", [], 0, 0),
        ("", [], 100, 100),
        ("the", [], 100, 100),
        ("cat cat", ["cat"], 0, 200 / 3),
        ("cat", ["the", "cat"], 100, 100),
    ],
)
def test_one_question(said: str, answers: list[str], exact: float, f1: float) -> None:
    found = squad_v2(**pairs(("1", said, answers, 0.0)))
    assert found["exact"] == exact and found["f1"] == pytest.approx(f1)


def test_answerable_and_unanswerable_questions_apart() -> None:
    rows = [("1", "cat", ["cat"], 0.2), ("2", "x", [], 0.9), ("3", "", [], 0.1), ("4", "red cat", ["cat"], 0.4)]
    found = squad_v2(**pairs(*rows))
    assert (found["exact"], found["HasAns_exact"], found["NoAns_exact"]) == (50, 50, 50)
    assert (found["total"], found["HasAns_total"], found["NoAns_total"]) == (4, 2, 2)
    assert found["HasAns_f1"] == pytest.approx((100 + 200 / 3) / 2)
    # from 2 of 4 that say nothing: 3 (0.1) +0, 1 (0.2) +1, 4 (0.4) +0, 2 (0.9) -1
    assert (found["best_exact"], found["best_exact_thresh"]) == (75, 0.2)
    assert found["best_f1"] == pytest.approx(100 * (2 + 1 + 2 / 3) / 4) and found["best_f1_thresh"] == 0.4


def test_a_doubt_above_the_threshold_is_no_answer() -> None:
    rows = [("1", "cat", ["cat"], 0.8), ("2", "x", [], 0.8)]
    assert squad_v2(**pairs(*rows), no_answer_threshold=0.5)["exact"] == 50
    assert "NoAns_exact" not in squad_v2(**pairs(rows[0]))


def test_a_document_that_a_bootstrap_draws_twice_counts_twice() -> None:
    twice = pairs(("1", "cat", ["cat"], 0.0), ("1", "cat", ["cat"], 0.0), ("2", "x", ["dog"], 0.0))
    assert squad_v2(**twice)["exact"] == pytest.approx(200 / 3)


def test_answers_in_another_order_are_found_by_their_ids() -> None:
    given = pairs(("1", "cat", ["cat"], 0.0), ("2", "x", ["dog"], 0.0))
    assert squad(predictions=given["predictions"][::-1], references=given["references"]) == {
        "exact_match": 50.0,
        "f1": 50.0,
    }


def test_helper_code_loads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    module = evaluate_module()
    given = pairs(("1", "cat", ["cat"], 0.0))
    assert module.load("squad_v2").compute(**given)["exact"] == 100
    with pytest.raises(UserError, match="pip install evaluate"):
        module.load("rouge")
