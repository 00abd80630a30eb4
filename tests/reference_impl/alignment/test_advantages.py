from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.alignment.advantages import explained_variance, generalized_advantages, token_rewards, whiten
from reference_impl.alignment.group_advantages import dead_groups, group_advantages

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def slow(rewards: Tensor, values: Tensor, lengths: list[int], gamma: float, lam: float) -> list[float]:
    """The sum of all later deltas, discounted, written out."""
    found, begin = [], 0
    for length in lengths:
        r, v = rewards[begin : begin + length].tolist(), [*values[begin : begin + length].tolist(), 0.0]
        delta = [r[t] + gamma * v[t + 1] - v[t] for t in range(length)]
        found += [sum((gamma * lam) ** (u - t) * delta[u] for u in range(t, length)) for t in range(length)]
        begin += length
    return found


@given(LENGTHS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 1000))
def test_gae_equals_its_sum_written_out(lengths: list[int], gamma: float, lam: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, sum(lengths), generator=generator, dtype=torch.float64)
    advantages, returns = generalized_advantages(rewards, values, lengths, gamma, lam)
    wanted = torch.tensor(slow(rewards, values, lengths, gamma, lam), dtype=torch.float64)
    assert torch.allclose(advantages, wanted, atol=1e-12)
    assert torch.equal(returns, advantages + values)


@given(LENGTHS, st.integers(0, 1000))
def test_without_discounts_it_is_the_reward_to_go_less_the_value(lengths: list[int], seed: int) -> None:
    rewards, values = torch.randn(2, sum(lengths), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    advantages, _ = generalized_advantages(rewards, values, lengths, 1.0, 1.0)
    to_go = torch.cat([part.flip(0).cumsum(0).flip(0) for part in torch.split(rewards, lengths)])
    assert torch.allclose(advantages, to_go - values, atol=1e-12)


def test_the_score_stands_on_the_last_token_and_penalties_sum_to_the_reported_kl() -> None:
    scores, kl = torch.tensor([5.0, -1.0]), torch.tensor([0.1, -0.2, 0.3, 0.4, 0.5])
    rewards = token_rewards(scores, kl, 0.5, [3, 2])
    assert torch.allclose(rewards, torch.tensor([-0.05, 0.1, 4.85, -0.2, -1.25]))
    assert float(rewards.sum() - scores.sum()) == pytest.approx(-0.5 * float(kl.sum()))


def test_equal_rewards_without_values_have_no_advantage() -> None:
    lengths = [3, 1, 2]
    rewards = token_rewards(torch.full((3,), 0.7), torch.zeros(6), 0.1, lengths)
    advantages, _ = generalized_advantages(rewards, torch.zeros(6), lengths, 1.0, 1.0)
    assert torch.equal(whiten(advantages, shift_mean=True), torch.zeros(6))


def test_whitening() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    white = whiten(values, shift_mean=True)
    assert float(white.mean()) == pytest.approx(0, abs=1e-6)
    assert float(white.square().mean()) == pytest.approx(1, abs=1e-6)  # the biased variance
    assert float(whiten(values, shift_mean=False).mean()) == pytest.approx(3.0)


def test_explained_variance() -> None:
    returns = torch.tensor([1.0, 2.0, 4.0])
    assert float(explained_variance(returns, returns)) == 1
    assert float(explained_variance(torch.zeros(3), returns)) == 0
    assert bool(explained_variance(returns, torch.ones(3)).isinf())


SCORES = torch.tensor([1.0, 0.0, 0.0, 1.0, 3.0, 3.0, 3.0, 3.0])


def test_baselines() -> None:
    assert torch.equal(group_advantages(SCORES, 4, "none", "none"), SCORES)
    assert torch.equal(group_advantages(SCORES, 4, "batch", "none"), SCORES - SCORES.mean())
    assert group_advantages(SCORES, 4, "group", "none").tolist() == [0.5, -0.5, -0.5, 0.5, 0, 0, 0, 0]
    others = [1 - 1 / 3, 0 - 2 / 3, 0 - 2 / 3, 1 - 1 / 3, 0, 0, 0, 0]
    assert torch.allclose(group_advantages(SCORES, 4, "leave_one_out", "none"), torch.tensor(others))
    scaled = group_advantages(SCORES, 4, "group", "group")
    assert torch.allclose(scaled[:4], torch.tensor([0.5, -0.5, -0.5, 0.5]) / (SCORES[:4].std() + 1e-4))
    assert scaled[4:].tolist() == [0, 0, 0, 0]


def test_dead_groups_are_exactly_those_of_equal_scores() -> None:
    assert dead_groups(SCORES, 4).tolist() == [False, True]
    # 0.1 three times has a mean that isn't 0.1: divided by a spread of nearly 0 it would be a gradient
    tenths = torch.full((3,), 0.1)
    assert group_advantages(tenths, 3, "group", "group", epsilon=1e-12).tolist() == [0, 0, 0]
    assert dead_groups(SCORES, 1).tolist() == [False] * 8


def test_what_compares_needs_two() -> None:
    with pytest.raises(ValueError, match="draw 2 or more"):
        group_advantages(SCORES, 1, "group", "none")
    with pytest.raises(ValueError, match="8 responses are no whole groups of 3"):
        group_advantages(SCORES, 3, "group", "none")
