"""Algorithms against numpy, against each other, and against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.interpret.in_context_regression.algorithms import (
    best_step_size,
    gradient_descent,
    least_squares,
    ridge,
)
from reference_impl.interpret.in_context_regression.task import Sequences, Task, draw


def drawn(pairs: int, sequences: int = 20, dimensions: int = 4, noise: float = 0.0, seed: int = 0) -> Sequences:
    return draw(Task(dimensions, noise), sequences, pairs, torch.Generator().manual_seed(seed), torch.float64)


@settings(max_examples=20, deadline=None)
@given(pairs=st.integers(1, 9), noise=st.sampled_from([0.0, 0.5]), seed=st.integers(0, 99))
def test_least_squares_and_ridge_against_numpy(pairs: int, noise: float, seed: int) -> None:
    data = drawn(pairs, sequences=3, noise=noise, seed=seed)
    least, shrunk = least_squares(data.x, data.y).numpy(), ridge(data.x, data.y, 0.3).numpy()
    for number in range(3):
        x, y = data.x[number].numpy(), data.y[number].numpy()
        assert least[number] == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0], abs=1e-8)
        # ridge is least squares of more rows
        more = np.vstack([x, np.sqrt(0.3) * np.eye(4)]), np.concatenate([y, np.zeros(4)])
        assert shrunk[number] == pytest.approx(np.linalg.lstsq(*more, rcond=None)[0], abs=1e-8)


@pytest.mark.parametrize("steps", [1, 3])
def test_gradient_descent_against_autograd(steps: int) -> None:
    data = drawn(5, noise=0.2)
    w = torch.zeros(20, 4, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        loss = ((data.x @ w[..., None])[..., 0] - data.y).square().mean(1).sum() / 2
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - 0.4 * gradient).detach().requires_grad_()
    torch.testing.assert_close(gradient_descent(data.x, data.y, 0.4, steps), w.detach())


def test_many_steps_are_least_squares() -> None:
    data = drawn(1)  # fewer pairs than dimensions: of all solutions it is the one of least norm
    found = gradient_descent(data.x, data.y, 0.1, 2_000)
    torch.testing.assert_close(found, least_squares(data.x, data.y), atol=1e-4, rtol=0)


def test_best_step_size_against_its_closed_forms() -> None:
    data = drawn(8, sequences=4096)
    mean = torch.einsum("np,npd->nd", data.y, data.x) / 8
    exact = float((mean * data.weights).sum() / mean.square().sum())
    found = best_step_size(data.x, data.y, data.weights, 1)
    assert found == pytest.approx(exact, abs=2e-6)
    assert found == pytest.approx(8 / (8 + 4 + 1), rel=0.03)  # k/(k + d + 1) for x ~ N(0, I)


def test_more_steps_come_nearer() -> None:
    data = drawn(6, sequences=500)
    errors = []
    for steps in (1, 2, 4, 8):
        size = best_step_size(data.x, data.y, data.weights, steps)
        errors.append(float((gradient_descent(data.x, data.y, size, steps) - data.weights).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0] / 3


def test_no_other_beats_the_posterior_mean() -> None:
    data = drawn(6, sequences=4000, noise=1.0)
    best = float((ridge(data.x, data.y, 1.0) - data.weights).square().mean())
    others = [least_squares(data.x, data.y), ridge(data.x, data.y, 0.5), ridge(data.x, data.y, 2.0)]
    assert all(float((w - data.weights).square().mean()) > best for w in others)


@pytest.mark.parametrize("given", [{"dimensions": 0}, {"dimensions": 2, "noise": -1.0}])
def test_tasks_that_cant_be(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        Task(**given)  # type: ignore[arg-type]
