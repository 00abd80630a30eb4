"""Fused AdamW against the algorithm written out, which parameters decay, and the guard."""

import pytest
import torch
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training.optimizer import default_learning_rate, guarded_step, make_optimizer
from reference_impl.training.settings import TrainingSettings

CONFIG = GPTConfig(vocabulary=17, context=8, layers=1, heads=2, width=16)
SETTINGS = TrainingSettings()


def a_model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG)


def some_gradients(model: GPT, step: int, scale: float) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(parameter.shape, generator=generator) * scale for parameter in model.parameters()]


def adamw_by_hand(weights: list[Tensor], all_gradients: list[list[Tensor]], rates: list[float]) -> list[Tensor]:
    """Loshchilov & Hutter 2019, algorithm 2, in float64, with the gradient clipped to norm 1 first."""
    beta1, beta2 = SETTINGS.betas
    weights = [weight.double() for weight in weights]
    first = [torch.zeros_like(weight) for weight in weights]
    second = [torch.zeros_like(weight) for weight in weights]
    for step, (gradients, rate) in enumerate(zip(all_gradients, rates, strict=True), start=1):
        norm = sum(float((gradient.double() ** 2).sum()) for gradient in gradients) ** 0.5
        for index, gradient in enumerate(gradients):
            clipped = gradient.double() * min(1.0, SETTINGS.gradient_clip / norm)
            if weights[index].dim() >= 2:
                weights[index] = weights[index] - rate * SETTINGS.weight_decay * weights[index]
            first[index] = beta1 * first[index] + (1 - beta1) * clipped
            second[index] = beta2 * second[index] + (1 - beta2) * clipped**2
            mean = first[index] / (1 - beta1**step)
            variance = second[index] / (1 - beta2**step)
            weights[index] = weights[index] - rate * mean / (variance.sqrt() + SETTINGS.epsilon)
    return weights


@pytest.mark.parametrize("scale", [1.0, 1e-4])  # clipped, and not
def test_steps_agree_with_adamw_written_out(scale: float) -> None:
    model = a_model()
    rates = [1e-3, 3e-3, 2e-3, 1e-3]
    gradients = [some_gradients(model, step, scale) for step in range(4)]
    expected = adamw_by_hand([p.detach().clone() for p in model.parameters()], gradients, rates)
    optimizer = make_optimizer(model, SETTINGS, 1e-3)
    for rate, of_step in zip(rates, gradients, strict=True):
        for parameter, gradient in zip(model.parameters(), of_step, strict=True):
            parameter.grad = gradient.clone()
        assert float(guarded_step(optimizer, rate, SETTINGS.gradient_clip)) == 0.0
    for parameter, wanted in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.detach().double(), wanted, rtol=1e-5, atol=1e-6)


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


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(poison: float) -> None:
    straight, disturbed = a_model(), a_model()
    optimizers = [make_optimizer(model, SETTINGS, 1e-3) for model in (straight, disturbed)]

    def step(model: GPT, optimizer: torch.optim.AdamW, number: int, value: float | None = None) -> Tensor:
        for parameter, gradient in zip(model.parameters(), some_gradients(model, number, 1.0), strict=True):
            parameter.grad = gradient
        if value is not None:
            model.blocks[0].ffn.up.weight.grad[0, 0] = value
        return guarded_step(optimizer, 1e-3, 1.0)

    for number in range(3):
        step(straight, optimizers[0], number)
        step(disturbed, optimizers[1], number)
        assert float(step(disturbed, optimizers[1], 100 + number, poison)) == 1.0
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
