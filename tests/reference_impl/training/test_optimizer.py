"""Fused AdamW against the algorithm written out, which parameters decay, and the guard."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training.adam_oracle import adamw_step, clipped, no_moments
from reference_impl.training.optimizer import default_learning_rate, guarded_step, make_optimizer
from reference_impl.training.settings import OptimizerName, TrainingSettings

Weights = list[Tensor]

CONFIG = GPTConfig(vocabulary=17, context=8, layers=1, heads=2, width=16)
SETTINGS = TrainingSettings()


def a_model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG)


def some_gradients(model: GPT, step: int, scale: float) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(parameter.shape, generator=generator) * scale for parameter in model.parameters()]


def by_the_oracle(model: GPT, settings: TrainingSettings, gradients: list[list[Tensor]], rates: list[float]) -> Weights:
    """AdamW written out, in float64."""
    weights = [parameter.detach().double() for parameter in model.parameters()]
    moments = [no_moments(weight) for weight in weights]
    for of_step, rate in zip(gradients, rates, strict=True):
        for index, gradient in enumerate(clipped([g.double() for g in of_step], settings.gradient_clip)):
            weights[index], moments[index] = adamw_step(
                weights[index],
                gradient,
                moments[index],
                rate=rate,
                betas=settings.betas,
                epsilon=settings.epsilon,
                decay=settings.weight_decay if weights[index].dim() >= 2 else 0.0,
            )
    return weights


def by_descent(model: GPT, settings: TrainingSettings, gradients: list[list[Tensor]], rates: list[float]) -> Weights:
    """A step along a running mean of the gradient, decay included, in float64."""
    weights = [parameter.detach().double() for parameter in model.parameters()]
    means = [torch.zeros_like(weight) for weight in weights]
    keep = settings.betas[0]
    for of_step, rate in zip(gradients, rates, strict=True):
        for index, gradient in enumerate(clipped([g.double() for g in of_step], settings.gradient_clip)):
            decay = settings.weight_decay if weights[index].dim() >= 2 else 0.0
            means[index] = keep * means[index] + (1 - keep) * (gradient + decay * weights[index])
            weights[index] = weights[index] - rate * means[index]
    return weights


def by_the_kernel(model: GPT, settings: TrainingSettings, gradients: list[list[Tensor]], rates: list[float]) -> Weights:
    optimizer = make_optimizer(model, settings, rates[0])
    for rate, of_step in zip(rates, gradients, strict=True):
        for parameter, gradient in zip(model.parameters(), of_step, strict=True):
            parameter.grad = gradient.clone()
        assert float(guarded_step(optimizer, rate, settings.gradient_clip)) == 0.0
    return [parameter.detach().double() for parameter in model.parameters()]


@settings(max_examples=15, deadline=None)
@given(
    betas=st.tuples(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.5, 0.95, 0.999])),
    epsilon=st.sampled_from([1e-8, 1e-3, 1.0]),
    weight_decay=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([1.0, 1e-4]),  # clipped, and not
    steps=st.integers(1, 30),
    optimizer=st.sampled_from(["adamw", "sgd"]),
)
def test_many_steps_agree_with_the_algorithm_written_out(
    betas: tuple[float, float], epsilon: float, weight_decay: float, scale: float, steps: int, optimizer: OptimizerName
) -> None:
    chosen = TrainingSettings(betas=betas, epsilon=epsilon, weight_decay=weight_decay, optimizer=optimizer)
    peak = 1e-2 if optimizer == "adamw" else 1.0
    rates = [peak * (1 + step % 3) / 3 for step in range(steps)]
    gradients = [some_gradients(a_model(), step, scale) for step in range(steps)]
    oracle = by_the_oracle if optimizer == "adamw" else by_descent
    expected = oracle(a_model(), chosen, gradients, rates)
    for found, wanted in zip(by_the_kernel(a_model(), chosen, gradients, rates), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"weight_decay": 0.0}, {"betas": (0.0, 0.95)}, {"betas": (0.9, 0.9)}, {"epsilon": 1e-3}]
)
def test_the_comparison_sees_every_setting(wrong: dict[str, Any]) -> None:
    rates, gradients = [1e-2] * 5, [some_gradients(a_model(), step, 1e-2) for step in range(5)]
    expected = by_the_oracle(a_model(), SETTINGS, gradients, rates)
    found = by_the_kernel(a_model(), replace(SETTINGS, **wrong), gradients, rates)
    assert any(not torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(found, expected, strict=True))


def test_the_kernel_is_fused_and_every_parameter_is_in_one_group_once() -> None:
    model = a_model()
    optimizer = make_optimizer(model, SETTINGS, 1e-3)
    assert optimizer.defaults["fused"] is True
    grouped = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(grouped) == len({id(parameter) for parameter in grouped}) == len(list(model.parameters()))
    assert sum(parameter is model.token_embedding.weight for parameter in grouped) == 1


def test_matrices_decay_and_vectors_do_not() -> None:
    model = a_model()
    decaying, others = make_optimizer(model, SETTINGS, 1e-3).param_groups
    assert decaying["weight_decay"] == 0.1
    assert others["weight_decay"] == 0.0
    assert all(parameter.dim() >= 2 for parameter in decaying["params"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert all(names[id(p)].endswith("bias") or "norm" in names[id(p)] for p in others["params"])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(poison: float, optimizer: OptimizerName) -> None:
    straight, disturbed = a_model(), a_model()
    chosen = replace(SETTINGS, optimizer=optimizer)
    optimizers = [make_optimizer(model, chosen, 1e-3) for model in (straight, disturbed)]

    def step(model: GPT, optimizer: torch.optim.Optimizer, number: int, value: float | None = None) -> Tensor:
        for parameter, gradient in zip(model.parameters(), some_gradients(model, number, 1.0), strict=True):
            parameter.grad = gradient
        if value is not None:
            model.blocks[0].ffn.up.weight.grad[0, 0] = value
        return guarded_step(optimizer, 1e-3, 1.0)

    for number in range(3):
        assert float(step(disturbed, optimizers[1], 100 + number, poison)) == 1.0  # the very first one too
        step(straight, optimizers[0], number)
        step(disturbed, optimizers[1], number)
    for ours, theirs in zip(disturbed.parameters(), straight.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_gradients_are_cleared() -> None:
    model = a_model()
    optimizer = make_optimizer(model, SETTINGS, 1e-3)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    guarded_step(optimizer, 1e-3, 1.0)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_default_learning_rate_is_gpt3s() -> None:
    table = {
        125e6: 6e-4,
        350e6: 3e-4,
        760e6: 2.5e-4,
        1.3e9: 2e-4,
        2.7e9: 1.6e-4,
        6.7e9: 1.2e-4,
        13e9: 1e-4,
        175e9: 6e-5,
    }
    for parameters, rate in table.items():
        assert default_learning_rate(int(parameters)) == pytest.approx(rate, rel=0.45)
    assert default_learning_rate(960_000) == pytest.approx(1.5e-3, rel=0.1)
    assert default_learning_rate(1) == 4e-3
