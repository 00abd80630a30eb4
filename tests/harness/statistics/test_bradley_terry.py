"""Rankings: known strengths are found again, whatever the design, and clusters widen the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from harness.statistics.bradley_terry import PRIOR, Comparison, bradley_terry

TRUE = np.array([1.0, 0.2, -0.4, -0.8])


def drawn(pairs: list[tuple[int, int]], prompts: int, seed: int = 0) -> list[Comparison]:
    draw = np.random.default_rng(seed)
    return [
        Comparison(i, j, float(draw.uniform() < expit(TRUE[i] - TRUE[j])), prompt)
        for prompt in range(prompts)
        for i, j in pairs
    ]


@pytest.mark.parametrize(
    "pairs", [[(0, 1), (0, 2), (0, 3)], [(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (1, 3), (2, 3)]]
)
def test_strengths_are_found_again(pairs: list[tuple[int, int]]) -> None:
    found = bradley_terry(drawn(pairs, 800), 4)
    assert found.strengths == pytest.approx(TRUE - TRUE.mean(), abs=0.25)
    assert found.low is not None and found.high is not None
    assert np.all(found.low <= found.strengths) and np.all(found.strengths <= found.high)


def test_the_slow_fit_is_the_same() -> None:
    comparisons = drawn([(0, 1), (1, 2), (2, 3), (3, 0)], 30, seed=1)

    def loss(theta: np.ndarray) -> float:
        total = 0.5 * PRIOR * float((theta**2).sum())
        for one in comparisons:
            p = expit(theta[one.one] - theta[one.other])
            total -= one.outcome * np.log(p) + (1 - one.outcome) * np.log1p(-p)
        return total

    slow = minimize(loss, np.zeros(4), tol=1e-12).x
    assert bradley_terry(comparisons, 4).strengths == pytest.approx(slow - slow.mean(), abs=1e-4)


def test_equal_models_can_not_be_told_apart() -> None:
    """The control: only ties, and only coin flips."""
    ties = [Comparison(0, 1, 0.5, prompt) for prompt in range(50)]
    assert bradley_terry(ties, 2).strengths == pytest.approx([0, 0])
    coins = [Comparison(0, 1, float(prompt % 2), prompt) for prompt in range(100)]
    found = bradley_terry(coins, 2)
    assert found.low is not None and found.high is not None and found.low[0] < 0 < found.high[0]


def test_comparisons_of_one_prompt_are_one_piece_of_evidence() -> None:
    draw = np.random.default_rng(2)
    by_prompt = [float(draw.uniform() < 0.7) for _ in range(40)]
    once = bradley_terry([Comparison(0, 1, one, prompt) for prompt, one in enumerate(by_prompt)], 2)
    often = bradley_terry([Comparison(0, 1, one, prompt) for prompt, one in enumerate(by_prompt) for _ in range(8)], 2)
    assert once.low is not None and once.high is not None and often.low is not None and often.high is not None
    assert often.high[0] - often.low[0] > 0.7 * (once.high[0] - once.low[0])


def test_who_won_everything_is_first_and_finite() -> None:
    found = bradley_terry([Comparison(0, 1, 1.0, prompt) for prompt in range(20)], 2)
    assert np.isfinite(found.strengths).all() and found.strengths[0] > 1


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="a comparison at least"):
        bradley_terry([], 2)
    with pytest.raises(ValueError, match="never compared"):
        bradley_terry([Comparison(0, 1, 1.0, 0)], 3)
    assert bradley_terry([Comparison(0, 1, 1.0, 0)], 2).low is None
