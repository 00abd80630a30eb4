"""Readers: von Oswald's construction, causality, what a short training does, and that it is determined."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_impl.interpret.in_context_regression.algorithms import gradient_descent
from reference_impl.interpret.in_context_regression.comparison import Comparison, compare
from reference_impl.interpret.in_context_regression.gpt_reader import GPTReader
from reference_impl.interpret.in_context_regression.linear_attention import LinearAttention
from reference_impl.interpret.in_context_regression.task import Task, draw
from reference_impl.interpret.in_context_regression.training import Recipe, train
from reference_impl.model.config import GPTConfig

TASK = Task(dimensions=2)
SHAPE = GPTConfig(vocabulary=1, context=1, layers=1, heads=2, width=32)


def gpt(points: int = 6, seed: int = 0, shape: GPTConfig = SHAPE) -> GPTReader:
    torch.manual_seed(seed)
    return GPTReader(shape, TASK.dimensions, points)


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_the_construction_of_von_oswald_is_one_gradient_step(noise: float) -> None:
    data = draw(Task(5, noise), 50, 9, torch.Generator().manual_seed(1), torch.float64)
    with torch.no_grad():
        predicted = LinearAttention.of_one_gradient_step(5, 0.375).double()(data.x, data.y)  # exact in fp32
    for point in range(1, 9):  # at every point, from the pairs before it
        w = gradient_descent(data.x[:, :point], data.y[:, :point], 0.375, 1)
        assert float((predicted[:, point] - (w * data.x[:, point]).sum(-1)).abs().max()) < 1e-10
    assert float(predicted[:, 0].abs().max()) == 0.0


@pytest.mark.parametrize(
    "reader",
    [gpt(), gpt(shape=GPTConfig(1, 1, 1, 2, 32, positions="rotary", norm="rms", ffn="swiglu")), LinearAttention(2)],
)
def test_a_point_sees_its_x_and_the_pairs_before(reader: nn.Module) -> None:
    data = draw(TASK, 3, 6, torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = reader(data.x, data.y)
        y = data.y.clone()
        y[:, 3] += 1.0
        after = reader(data.x, y)
        shorter = reader(data.x[:, :4], data.y[:, :4])
    torch.testing.assert_close(before[:, :4], after[:, :4])
    torch.testing.assert_close(before[:, :4], shorter)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def error(seen: Comparison) -> float:
    """Of what predicting 0 costs on the same sequences."""
    return float((seen.prediction - seen.target).square().mean() / seen.target.square().mean())


def cosine(seen: Comparison, algorithm: str) -> float:
    return float(nn.functional.cosine_similarity(seen.weights, seen.found[algorithm]).mean())


def test_a_training_is_determined() -> None:
    recipe = Recipe(steps=5, batch=8, learning_rate=0.005)
    same, again, other = (train(gpt(seed=seed), TASK, 6, recipe) for seed in (0, 0, 1))
    assert same == again != other
    assert train(gpt(), TASK, 6, Recipe(5, 8, 0.005, seed=1)) != same


def test_a_short_training_learns_to_learn() -> None:
    reader = gpt()
    untrained = compare(reader, TASK, 5, 1000, 7)
    assert error(untrained) > 0.95 and abs(cosine(untrained, "least_squares")) < 0.1
    train(reader, TASK, 6, Recipe(steps=300, batch=32, learning_rate=0.005))
    seen = compare(reader, TASK, 5, 1000, 7)
    assert error(seen) < 0.4 and cosine(seen, "least_squares") > 0.8
    assert error(compare(reader, TASK, 5, 1000, 7, labels="shifted")) > 0.9


def test_linear_attention_learns_the_gradient_step() -> None:
    torch.manual_seed(0)
    reader = LinearAttention(2)
    train(reader, TASK, 5, Recipe(steps=400, batch=128, learning_rate=0.02), last_point_only=True)
    seen = compare(reader, TASK, 4, 1000, 7)
    assert float((seen.prediction - seen.predictions["gradient_steps_1"]).square().mean()) / 2 < 0.02
    assert float((seen.prediction - seen.predictions["least_squares"]).square().mean()) / 2 > 0.2
    assert cosine(seen, "gradient_steps_1") > 0.98


def test_implied_weights_of_the_construction_are_the_algorithm_s() -> None:
    seen = compare(LinearAttention.of_one_gradient_step(2, 0.5), TASK, 4, 20, 3)
    expected = seen.found["gradient_steps_1"] * 0.5 / seen.step_sizes["gradient_steps_1"]
    torch.testing.assert_close(seen.weights, expected, rtol=1e-4, atol=1e-6)


def test_bayes_stands_beside_least_squares_where_there_is_noise() -> None:
    reader = LinearAttention(2)
    assert "bayes" not in compare(reader, TASK, 4, 10, 0).found
    seen = compare(reader, Task(2, noise=1.0), 4, 1000, 0)
    errors = {name: float((w - seen.target).square().mean()) for name, w in seen.predictions.items()}
    assert min(errors, key=errors.__getitem__) == "bayes"


def test_what_cant_be() -> None:
    with pytest.raises(ValueError, match="too few to shift labels"):
        compare(LinearAttention(2), TASK, 1, 10, 0, labels="shifted")
    with pytest.raises(ValueError, match="don't fit a reader of 6"):
        compare(gpt(points=6), TASK, 6, 10, 0)
    with pytest.raises(ValueError, match="steps must be"):
        Recipe(steps=0, batch=1, learning_rate=0.1)
