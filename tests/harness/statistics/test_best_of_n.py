"""Best of n by enumeration: its expected score, its divergence and the bound of it; and the Gibbs ceiling."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.best_of_n import best_of_n, chances, divergence_bound
from harness.statistics.gibbs import ceiling

SMALL = st.lists(st.integers(-3, 3), min_size=1, max_size=6)


@given(SMALL, st.data())
def test_the_expected_score_is_the_mean_over_all_choices_of_n(scores: list[int], data: st.DataObject) -> None:
    """The oracle: every subset of n, ties of the proxy shared alike."""
    proxy = [data.draw(st.integers(0, 2)) for _ in scores]
    n = data.draw(st.integers(1, len(scores)))
    each = []
    for chosen in itertools.combinations(range(len(scores)), n):
        top = max(proxy[place] for place in chosen)
        best = [scores[place] for place in chosen if proxy[place] == top]
        each.append(sum(best) / len(best))
    if len(set(proxy)) == len(proxy):
        assert best_of_n(proxy, scores, n) == pytest.approx(sum(each) / len(each), abs=1e-9)
    else:  # ties are shared over all samples of that proxy, which is the same mean
        groups = {one: np.mean([s for s, p in zip(scores, proxy, strict=True) if p == one]) for one in proxy}
        mean = [
            groups[max(proxy[place] for place in chosen)] for chosen in itertools.combinations(range(len(scores)), n)
        ]
        assert best_of_n(proxy, scores, n) == pytest.approx(float(np.mean(mean)), abs=1e-9)


def test_chances_add_up_to_1_also_of_many_samples() -> None:
    for samples, n in ((1, 1), (5, 3), (512, 256), (512, 512)):
        assert chances(samples, n).sum() == pytest.approx(1, abs=1e-9)


def exact(policy: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
    """The distribution of the best of n draws: the first of those of most score."""
    found = np.zeros_like(policy)
    for drawn in itertools.product(range(len(policy)), repeat=n):
        found[max(drawn, key=lambda one: scores[one])] += np.prod(policy[list(drawn)])
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_divergence_is_at_most_the_bound(n: int) -> None:
    policy, scores = np.array([0.1, 0.2, 0.3, 0.4]), np.array([3.0, 1.0, 2.0, 0.0])
    best = exact(policy, scores, n)
    divergence = float(sum(p * math.log(p / q) for p, q in zip(best, policy, strict=True) if p > 0))
    assert divergence <= divergence_bound(n) + 1e-12
    if n > 1:
        assert divergence < divergence_bound(n)  # a few outcomes: an upper bound, and the axis says so


def test_with_many_outcomes_the_bound_is_near() -> None:
    k, n = 2000, 4
    ranks = np.arange(1, k + 1) / k
    best = ranks**n - (ranks - 1 / k) ** n
    divergence = float((best * np.log(best * k)).sum())
    assert divergence_bound(n) - 0.01 < divergence <= divergence_bound(n)


def test_the_ceiling_is_the_gibbs_distribution() -> None:
    """By enumeration: with every outcome once as often as the reference gives it, the estimate is exact."""
    policy, scores, beta = np.array([0.1, 0.2, 0.3, 0.4]), np.array([3.0, 1.0, 2.0, 0.0]), 0.7
    samples = np.repeat(scores, (policy * 10).round().astype(int))[None, :]
    gibbs = policy * np.exp(scores / beta)
    gibbs /= gibbs.sum()
    found = ceiling(samples, beta)
    assert found.score[0] == pytest.approx(float(gibbs @ scores))
    assert found.divergence[0] == pytest.approx(float((gibbs * np.log(gibbs / policy)).sum()))
    assert found.effective[0] == pytest.approx(1 / float((gibbs**2 / policy).sum() / 10))


def test_no_policy_scores_more_at_its_divergence() -> None:
    draw = np.random.default_rng(0)
    scores = draw.normal(size=6)
    for _ in range(200):
        other = draw.dirichlet(np.ones(6))
        divergence = float((other * np.log(other * 6)).sum())
        betas = np.geomspace(0.01, 100, 400)
        tops = [ceiling(scores[None, :], float(beta)) for beta in betas]
        at = np.array([one.divergence[0] for one in tops])
        best = np.interp(divergence, at[::-1], np.array([one.score[0] for one in tops])[::-1])
        assert float(other @ scores) <= best + 0.01


def test_few_samples_that_carry_all_the_weight_are_told() -> None:
    assert ceiling(np.array([[0.0, 0.0, 0.0, 100.0]]), 0.1).effective[0] == pytest.approx(1)
    assert ceiling(np.zeros((1, 4)), 0.1).effective[0] == pytest.approx(4)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="the best of 3"):
        best_of_n([1, 2], [1, 2], 3)
    for scores, beta in ((np.zeros((1, 2)), 0.0), (np.array([[math.nan]]), 1.0)):
        with pytest.raises(ValueError, match="a beta above 0"):
            ceiling(scores, beta)
