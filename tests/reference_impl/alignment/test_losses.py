from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.alignment.calibration import accuracy, calibration
from reference_impl.alignment.policy_loss import clipped_policy_loss, clipped_value_loss, token_weights
from reference_impl.alignment.preference_losses import dpo_loss, ipo_loss, reward_loss, simpo_loss
from reference_impl.alignment.reward_normalization import gain_and_bias, no_moments, standard_deviation, with_scores


def test_weights_of_tokens() -> None:
    lengths = [1, 3]
    assert token_weights(lengths, "tokens").tolist() == [0.25] * 4
    assert torch.allclose(token_weights(lengths, "responses"), torch.tensor([1 / 2, *[1 / 6] * 3], dtype=torch.float64))
    assert token_weights(lengths, "sums").tolist() == [0.5] * 4
    assert token_weights(lengths, "longest", 10).tolist() == [0.05] * 4
    with pytest.raises(ValueError, match="give `longest`"):
        token_weights(lengths, "longest")


def test_the_policy_loss_is_clipped_on_the_side_that_gains() -> None:
    ratios = torch.tensor([0.5, 0.5, 1.0, 2.0, 2.0])
    log_probs = ratios.log().requires_grad_()
    advantages = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    found = clipped_policy_loss(log_probs, torch.zeros(5), advantages, 0.2, 0.3)
    assert torch.allclose(found.loss, torch.tensor([-0.5, 0.8, -1.0, -1.3, 2.0]))
    assert found.clipped.tolist() == [False, True, False, True, False]
    found.loss.sum().backward()
    assert log_probs.grad is not None
    assert torch.allclose(log_probs.grad, torch.tensor([-0.5, 0.0, -1.0, 0.0, 2.0]))


def test_the_value_loss_takes_the_larger_of_both() -> None:
    values, old, returns = torch.tensor([1.0, 0.1, -1.0]), torch.zeros(3), torch.tensor([1.0, 1.0, 1.0])
    found = clipped_value_loss(values, old, returns, 0.2)
    assert torch.allclose(found.loss, 0.5 * torch.tensor([0.64, 0.81, 4.0]))
    assert found.clipped.tolist() == [True, False, False]


def test_dpo_begins_at_ln_2_with_a_tie() -> None:
    zero = torch.zeros(3)
    for beta in (0.1, 5.0):
        for label in (1.0, 0.9, 0.5):
            assert torch.allclose(dpo_loss(zero, beta, label), torch.full((3,), math.log(2)))


@given(st.floats(-20, 20), st.floats(0.01, 10), st.floats(0, 1))
def test_losses_against_their_formulas(h: float, beta: float, p: float) -> None:
    one = torch.tensor([h], dtype=torch.float64)

    def log_sigmoid(x: float) -> float:
        return -float(np.logaddexp(0, -x))

    assert float(dpo_loss(one, beta, p)) == pytest.approx(-p * log_sigmoid(beta * h) - (1 - p) * log_sigmoid(-beta * h))
    assert float(ipo_loss(one, beta)) == pytest.approx((h - 1 / (2 * beta)) ** 2)
    assert float(simpo_loss(one, beta, 0.5)) == pytest.approx(-log_sigmoid(beta * h - 0.5))
    assert float(reward_loss(one, torch.zeros(1).double(), margin=1.5)) == pytest.approx(-log_sigmoid(h - 1.5))


@given(st.floats(-5, 5), st.floats(0.01, 3))
def test_win_loss_and_tie_of_rao_and_kupper_are_all_that_can_be(difference: float, threshold: float) -> None:
    a, b = torch.tensor([difference], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    tie = torch.tensor([True])
    told = [
        reward_loss(a, b, tie_threshold=threshold),
        reward_loss(b, a, tie_threshold=threshold),
        reward_loss(a, b, ties=tie, tie_threshold=threshold),
    ]
    assert sum(math.exp(-float(x)) for x in told) == pytest.approx(1.0)


def test_a_tie_without_a_threshold_is_half_a_win_each() -> None:
    a, b = torch.tensor([1.3, 1.3]), torch.zeros(2)
    found = reward_loss(a, b, ties=torch.tensor([True, False]))
    assert float(found[0]) == pytest.approx(0.5 * float(reward_loss(a, b)[0] + reward_loss(b, a)[0]))


def test_gain_and_bias() -> None:
    scores = torch.tensor([1.0, 2.0, 6.0])
    gain, bias = gain_and_bias(scores, 0.5, 2.0)
    found = gain * scores + bias
    assert float(found.mean()) == pytest.approx(0.5) and float(found.std()) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="3 reference scores don't differ"):
        gain_and_bias(torch.ones(3))


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=1), min_size=1, max_size=5))
def test_running_moments_are_those_of_all_scores(parts: list[list[float]]) -> None:
    moments = no_moments()
    for part in parts:
        moments = with_scores(moments, torch.tensor(part))
    everything = torch.tensor([x for part in parts for x in part], dtype=torch.float64)
    assert float(moments[1]) == pytest.approx(float(everything.mean()), abs=1e-9)
    assert float(standard_deviation(moments)) == pytest.approx(float(everything.std(unbiased=False)), abs=1e-6)


def drawn(pairs: int, sharpness: float, seed: int = 0) -> torch.Tensor:
    """Differences of rewards whose winners are drawn at the model's own probabilities, times a sharpness."""
    random = np.random.default_rng(seed)
    d = random.normal(0, 1.5, pairs)
    won = random.random(pairs) < 1 / (1 + np.exp(-d))
    return torch.from_numpy(np.where(won, d, -d) * sharpness)


def test_a_calibrated_model_is_told_from_a_too_sure_one() -> None:
    fair, sure = calibration(drawn(4000, 1.0)), calibration(drawn(4000, 3.0))
    assert fair.error < 0.03 < 0.1 < sure.low
    assert sure.low <= sure.error <= sure.high
    assert sum(found.pairs for found in fair.curve) == 4000
    assert all(found.confidence > found.accuracy + 0.02 for found in sure.curve if found.pairs > 200)


def test_pairs_of_one_prompt_are_one_draw() -> None:
    d = drawn(60, 1.0)
    alone = calibration(d)
    together = calibration(d.repeat_interleave(20), [place // 20 for place in range(1200)])
    assert together.error == pytest.approx(alone.error)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=1e-6)  # not 1/sqrt(20) of it


def test_accuracy_counts_a_tie_half() -> None:
    assert accuracy(torch.tensor([1.0, -1.0, 0.0, 2.0])) == 0.625
    tie = calibration(torch.zeros(4))
    assert tie.error == 0 and tie.curve[0].accuracy == tie.curve[0].confidence == 0.5
    with pytest.raises(ValueError, match="pair 1 is nan"):
        calibration(torch.tensor([1.0, math.nan]))
