"""The quick dropout: as many zeros as asked for, an unbiased mean, the same masks for the same seed."""

import pytest
import torch

from reference_impl.model.dropout import Dropout, dropout
from reference_impl.model.gpt import explicit_attention, fused_attention


@pytest.mark.parametrize("probability", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(400_001,), (40, 101, 99)])
def test_elements_are_dropped_independently_with_this_probability(probability: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    found = dropout(torch.ones(shape), probability).flatten()
    dropped = (found == 0).double()
    deviation = (probability * (1 - probability) / len(found)) ** 0.5
    assert float(dropped.mean()) == pytest.approx(probability, abs=5 * deviation)
    assert float(found.unique().max()) == pytest.approx(1 / (1 - probability), rel=1e-3)
    for lag in (1, 2, 3, 4):  # four elements share one random word
        together = float((dropped[lag:] * dropped[:-lag]).mean())
        assert together == pytest.approx(probability**2, abs=6 * probability / len(found) ** 0.5)


def test_the_mean_stays() -> None:
    torch.manual_seed(0)
    x = torch.rand(1_000_000)
    assert float(dropout(x, 0.3).mean()) == pytest.approx(float(x.mean()), rel=3e-3)


def test_torchs_seed_determines_the_masks_and_each_call_has_another() -> None:
    x = torch.ones(1000)
    torch.manual_seed(3)
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)


def test_the_gradient_goes_where_the_values_went() -> None:
    x = torch.randn(1000, requires_grad=True)
    dropped = dropout(x, 0.25)
    dropped.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x, dropped)


def test_without_training_or_probability_nothing_happens() -> None:
    x = torch.randn(10)
    state = torch.get_rng_state()
    assert Dropout(0.5).eval()(x) is x
    assert dropout(x, 0.0) is x
    assert torch.equal(torch.get_rng_state(), state)


def test_attention_with_dropout_is_right_in_the_mean() -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 4, 16, 8).unbind()
    wanted = explicit_attention(queries, keys, values, None, 0.0)
    found = torch.stack([fused_attention(queries, keys, values, None, 0.3) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.08)
