"""The oracle itself, by hand-computed steps and what is known of Adam."""

import pytest
import torch

from reference_impl.training.adam_oracle import adamw_step, clipped, no_moments

SETTINGS = {"rate": 0.1, "betas": (0.9, 0.99), "epsilon": 1e-8, "decay": 0.0}


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def test_two_steps_by_hand() -> None:
    settings = SETTINGS | {"epsilon": 0.5, "decay": 0.2}
    weight, moments = adamw_step(one(1.0), one(2.0), no_moments(one(1.0)), **settings)
    # mean 0.2 / 0.1 = 2, square 0.04 / 0.01 = 4: 0.98 - 0.1 * 2 / (2 + 0.5)
    assert float(weight) == pytest.approx(0.98 - 0.08)
    weight, moments = adamw_step(weight, one(-1.0), moments, **settings)
    # mean (0.18 - 0.1) / 0.19, square (0.0396 + 0.01) / 0.0199
    step = 0.1 * (0.08 / 0.19) / ((0.0496 / 0.0199) ** 0.5 + 0.5)
    assert float(weight) == pytest.approx(0.9 * 0.98 - step)
    assert moments.steps == 2


@pytest.mark.parametrize("gradient", [1e-3, 1.0, 1e3, -1e3])
def test_the_first_step_is_as_long_as_the_rate_whatever_the_gradient(gradient: float) -> None:
    weight, _ = adamw_step(one(0.0), one(gradient), no_moments(one(0.0)), **SETTINGS)
    assert abs(float(weight)) == pytest.approx(0.1, rel=1e-4)


def test_decay_is_decoupled_from_the_gradient() -> None:
    weight, moments = adamw_step(one(5.0), one(0.0), no_moments(one(5.0)), **SETTINGS | {"decay": 0.1})
    assert float(weight) == pytest.approx(5.0 * (1 - 0.1 * 0.1))
    assert float(moments.mean) == float(moments.square) == 0.0


def test_clipping_scales_all_gradients_together() -> None:
    scaled = clipped([one(3.0), one(-4.0)], 1.0)
    assert [float(gradient) for gradient in scaled] == pytest.approx([0.6, -0.8])
    assert [float(gradient) for gradient in clipped([one(0.3), one(-0.4)], 1.0)] == [0.3, -0.4]
