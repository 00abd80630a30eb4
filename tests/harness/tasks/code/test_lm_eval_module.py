"""Stand-ins for lm-eval's names, against their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.code.lm_eval_module import weighted_f1

labels = st.sampled_from("abc")


@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=30))
def test_weighted_f1_is_the_mean_of_the_classes_f1_by_support(pairs: list[tuple[str, str]]) -> None:
    expected = 0.0
    for label in {gold for gold, _ in pairs}:
        hits = sum(gold == given == label for gold, given in pairs)
        given_it = sum(given == label for _, given in pairs)
        support = sum(gold == label for gold, _ in pairs)
        precision, recall = hits / given_it if given_it else 0.0, hits / support
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        expected += f1 * support / len(pairs)
    assert weighted_f1(pairs) == pytest.approx(expected, abs=1e-12)
