"""Per-document answers read from stored samples: what is a number of the document, and what only its pairs hold."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from harness.analysis.mirage.answers_of_samples import answers_of_samples


def test_pairs_that_a_file_sums_up_itself_are_no_numbers_of_a_document(task_builders: ModuleType) -> None:
    row = task_builders.choice_row(0, "Q", ["a", "b"], [-1.0, -2.0])
    items = json.loads(row["items"]) | {"brier_score": [0, [0.7, 0.3]], "likelihood": [0, [-1.0, -2.0]]}
    (found,) = answers_of_samples(task_builders.samples([row | {"items": json.dumps(items)}]), ["acc"])
    assert found.rows[0]["right"] == 1.0
    assert "brier_score" not in found.rows[0] and "likelihood" not in found.rows[0]


@pytest.mark.parametrize(
    ("extracted", "target", "similarity"),
    [(" Paris\n", "Paris", 1.0), ("cafe\u0301", "caf\u00e9", 1.0), ("Pariz", "Paris", 0.8)],
)
def test_the_similarity_of_a_written_answer_is_that_of_normal_forms(
    task_builders: ModuleType, extracted: str, target: str, similarity: float
) -> None:
    row = task_builders.written_row(0, "Q", [extracted], target, {"strict": extracted})
    (found,) = answers_of_samples(task_builders.samples([row]), ["exact_match"])
    assert found.rows[0]["edit_similarity"] == pytest.approx(similarity)
