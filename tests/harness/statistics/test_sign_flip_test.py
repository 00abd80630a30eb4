"""The exact test of signs: against McNemar's, against all signs, and its level on symmetric and skewed noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.statistics import mcnemar, sign_flip_test
from harness.statistics.paired_proportions import PairedCounts
from harness.statistics.sign_flip_test import above_zero, needed


@pytest.mark.parametrize("counts", [(7, 0), (0, 7), (9, 2), (30, 12), (3, 3)])
def test_of_right_and_wrong_it_is_mcnemars(counts: tuple[int, int]) -> None:
    lost, won = counts
    exact = mcnemar.worse(PairedCounts(5, lost, won, 5)).exact
    assert above_zero([1.0] * lost + [-1.0] * won + [0.0] * 10) == pytest.approx(exact, abs=2.5e-3)


def test_all_signs_are_tried_where_they_can_be() -> None:
    d = np.random.default_rng(3).normal(0.4, 1, 9)
    sums = [np.dot(signs, np.abs(d)) for signs in itertools.product([1, -1], repeat=9)]
    assert above_zero(d) == pytest.approx(np.mean(np.array(sums) >= d.sum() - 1e-9))


def test_drawn_signs_agree_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    d = np.random.default_rng(5).normal(0.5, 1, 12)
    exact = above_zero(d)
    monkeypatch.setattr(sign_flip_test, "ALL_SIGNS", 2)
    assert above_zero(d) == pytest.approx(exact, abs=4 * (exact / sign_flip_test.DRAWS) ** 0.5)


def test_ends() -> None:
    assert above_zero([]) == above_zero([0.0, 0.0]) == 1.0
    assert above_zero([1e-300] * 7) == 2**-7
    assert above_zero([-2.0] * 7) == 1.0
    with pytest.raises(ValueError, match="finite"):
        above_zero([1.0, np.nan])
    assert [needed(alpha) for alpha in (0.05, 0.01, 0.001, 0.25)] == [5, 7, 10, 2]


def test_its_level_on_symmetric_noise_of_any_kind() -> None:
    """A p-value of at most 1 % in no more than 1 % of comparisons: 3 standard errors are allowed to the count."""
    generator = np.random.default_rng(11)
    wrong, replicates = 0, 3000
    for replicate in range(replicates):
        n = (8, 12, 14)[replicate % 3]
        scale = np.exp(generator.normal(0, 2, n))  # documents of very different noise
        wrong += above_zero(scale * generator.standard_t(1.5, n)) <= 0.01
    assert wrong / replicates <= 0.01 + 3 * (0.01 * 0.99 / replicates) ** 0.5
