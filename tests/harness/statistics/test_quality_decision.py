"""Verdicts on paired documents: levels where nothing changed and where the loss is the margin, power, few documents."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.statistics.quality_decision import Judged, Means, judge_losses, judge_scores
from harness.statistics.speed_decision import Decision

Floats = NDArray[np.float64]


def text(n: int, seed: int) -> tuple[Floats, Floats]:
    """Losses and tokens of n documents of different lengths and difficulties."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(40, 400, n).astype(float)
    return tokens * generator.lognormal(1.0, 0.2, n), tokens


def losses(n: int, seed: int, shift: float, noise: float = 0.01, margin: float = 0.01) -> Judged:
    """Documents whose loss becomes `shift` larger, each with noise of its own."""
    nll, tokens = text(n, seed)
    own = np.random.default_rng([seed, 1]).normal(shift, noise, n)
    return judge_losses(Means(nll, tokens), Means(nll * (1 + own), tokens), range(n), margin=margin)


def scores(n: int, seed: int, lost: float, won: float, margin: float = 0.02) -> Judged:
    """Answers of which a share is lost and another is won."""
    u, right = np.random.default_rng(seed).random(n), np.random.default_rng([seed, 1]).random(n) < 0.5
    before = right.astype(float)
    after = np.where(right, u >= 2 * lost, u < 2 * won).astype(float)
    return judge_scores(Means(before, np.ones(n)), Means(after, np.ones(n)), range(n), margin=margin)


def shares(found: list[Judged]) -> dict[Decision, float]:
    return {decision: count / len(found) for decision, count in Counter(one.decision for one in found).items()}


@pytest.mark.parametrize("n", [8, 11])
def test_identical_quality_hardly_ever_fails(n: int) -> None:
    told = shares([losses(n, seed, 0.0, noise=0.05) for seed in range(1500)])
    assert told.get(Decision.FAIL, 0) <= 0.01


def test_a_loss_of_the_margin_hardly_ever_passes() -> None:
    told = shares([losses(12, seed, 0.01) for seed in range(1500)])
    assert told.get(Decision.PASS, 0) + told.get(Decision.MINOR, 0) <= 0.05 + 3 * (0.05 * 0.95 / 1500) ** 0.5


def test_what_changed_by_rounding_passes_and_a_loss_of_two_margins_fails() -> None:
    rounded = shares([losses(14, seed, 0.0, noise=1e-5) for seed in range(100)])
    assert rounded[Decision.PASS] >= 0.95 and Decision.FAIL not in rounded and Decision.INCONCLUSIVE not in rounded
    assert shares([losses(14, seed, 0.02, noise=0.004) for seed in range(40)])[Decision.FAIL] >= 0.95
    assert shares([losses(14, seed, 0.004, noise=0.001) for seed in range(40)]) == {Decision.MINOR: 1.0}


def test_the_change_is_that_of_the_means_and_has_its_interval() -> None:
    nll, tokens = text(20, 0)
    head = nll * np.linspace(0.99, 1.05, 20)
    found = judge_losses(Means(nll, tokens), Means(head, tokens), range(20), margin=0.01)
    assert found.change.value == found.worse_by == pytest.approx(head.sum() / nll.sum() - 1)
    assert found.change.low is not None and found.change.high is not None
    assert found.change.low < found.change.value < found.change.high


def test_few_documents_are_judged_by_the_declared_rules() -> None:
    assert losses(3, 0, 0.3).decision is Decision.FAIL and losses(3, 0, 0.3).by_rule
    assert losses(1, 0, 1e-6, noise=1e-7).decision is Decision.PASS
    assert losses(4, 0, 0.03, noise=0.001).decision is Decision.INCONCLUSIVE
    assert losses(3, 0, 0.3).p == 2**-3
    assert losses(1, 0, 0.03).smallest_seen is None


def test_documents_of_one_cluster_count_once() -> None:
    nll, tokens = text(40, 0)
    found = judge_losses(Means(nll, tokens), Means(nll * 1.05, tokens), [n // 10 for n in range(40)], margin=0.01)
    assert (found.units, found.decision, found.p) == (4, Decision.INCONCLUSIVE, 2**-4)


def test_a_base_below_0_has_no_share() -> None:
    with pytest.raises(ValueError, match="above 0"):
        judge_losses(Means(-np.ones(9), np.ones(9)), Means(np.ones(9), np.ones(9)), range(9), margin=0.01)


@pytest.mark.parametrize("documents", [6, 40])
def test_of_a_base_of_0_the_margin_is_one_of_the_unit(documents: int) -> None:
    """A model that predicted all for certain: 5 nats more are worse, and what rounding makes of 0 is not."""
    zeros, ones = np.zeros(documents), np.ones(documents)
    for more, decision in ((5.0, Decision.FAIL), (0.0, Decision.PASS), (1e-7, Decision.PASS)):
        found = judge_losses(Means(zeros, ones), Means(more * ones, ones), range(documents), margin=0.01)
        assert found.decision in (decision, Decision.MINOR if decision is Decision.PASS else decision)
        assert found.worse_by == pytest.approx(more)


def test_scores_hold_their_levels() -> None:
    equal = shares([scores(200, seed, 0.05, 0.05) for seed in range(800)])
    assert equal.get(Decision.FAIL, 0) <= 0.01
    at_margin = shares([scores(600, seed, 0.04, 0.02) for seed in range(800)])
    assert at_margin.get(Decision.PASS, 0) + at_margin.get(Decision.MINOR, 0) <= 0.05


def test_scores_have_power() -> None:
    assert shares([scores(1000, seed, 0.06, 0.01) for seed in range(60)])[Decision.FAIL] >= 0.95
    assert shares([scores(1000, seed, 0.002, 0.002) for seed in range(60)])[Decision.PASS] >= 0.95
    assert scores(60, 0, 0.02, 0.02).decision is Decision.INCONCLUSIVE


def test_answers_on_one_passage_count_once() -> None:
    """Eight answers of two passages that are lost together are no evidence; eight of eight passages are."""
    before, after = np.ones(80), np.ones(80)
    after[:8] = 0
    ones = np.ones(80)
    by_passage = judge_scores(Means(before, ones), Means(after, ones), [n // 4 for n in range(80)], margin=0.02)
    alone = judge_scores(Means(before, ones), Means(after, ones), range(80), margin=0.02)
    assert alone.decision is Decision.FAIL and alone.p == 2**-8
    assert by_passage.decision is Decision.INCONCLUSIVE and by_passage.p == 2**-2


def test_scores_where_less_is_better() -> None:
    ones = np.ones(40)
    found = judge_scores(Means(0 * ones, ones), Means(ones, ones), range(40), margin=0.02, better=-1)
    assert (found.decision, found.worse_by, found.change.value) == (Decision.FAIL, 1.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        judge_scores(Means(2 * ones, ones), Means(ones, ones), range(40), margin=0.02)
