"""Micro-batches give the gradient of the whole batch, and the check notices the field's two usual bugs."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, next_token_loss
from reference_impl.training.accumulation import accumulate_gradients, summed_loss
from reference_impl.training.batches import IGNORED, Batch
from reference_impl.training.optimizer import guarded_step, make_optimizer
from reference_impl.training.settings import TrainingSettings

CONFIG = GPTConfig(vocabulary=17, context=8, layers=1, heads=2, width=16)


def a_model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG)


def a_batch(valid: Sequence[int]) -> Batch:
    """One row of 8 tokens for each number in `valid`, with that many targets."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(17, (len(valid), 8), generator=generator)
    targets = torch.randint(17, (len(valid), 8), generator=generator)
    for row, count in enumerate(valid):
        targets[row, count:] = IGNORED
    return inputs, targets


def gradients_of(accumulate: Callable[[GPT, list[Batch]], Tensor], batches: list[Batch]) -> Tensor:
    model = a_model()
    accumulate(model, batches)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


def one_big_batch(model: GPT, batches: list[Batch]) -> Tensor:
    """The oracle: the plain mean over all targets of the joined batch."""
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss = next_token_loss(model(inputs), targets)
    loss.backward()
    return loss.detach()


def mean_of_means(model: GPT, batches: list[Batch]) -> Tensor:
    """Known-bad: each micro-batch's mean, divided by their number."""
    losses = [next_token_loss(model(inputs), targets) / len(batches) for inputs, targets in batches]
    torch.stack(losses).sum().backward()
    return torch.stack(losses).sum().detach()


def never_divided(model: GPT, batches: list[Batch]) -> Tensor:
    """Known-bad: means added up, so that the gradient grows with the number of micro-batches."""
    losses = [next_token_loss(model(inputs), targets) for inputs, targets in batches]
    torch.stack(losses).sum().backward()
    return torch.stack(losses).mean().detach()


def split(batch: Batch, parts: int) -> list[Batch]:
    return list(zip(batch[0].chunk(parts), batch[1].chunk(parts), strict=True))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=4, max_size=4).filter(any), st.sampled_from([1, 2, 4]))
def test_micro_batches_give_the_gradient_of_the_whole(valid: list[int], parts: int) -> None:
    batches = split(a_batch(valid), parts)
    torch.testing.assert_close(
        gradients_of(accumulate_gradients, batches), gradients_of(one_big_batch, batches), rtol=1e-4, atol=1e-6
    )
    model = a_model()
    assert float(accumulate_gradients(model, batches)) == pytest.approx(
        float(one_big_batch(a_model(), batches)), rel=1e-5
    )


def weights_after_steps(
    accumulate: Callable[[GPT, list[Batch]], Tensor], batches: list[Batch], **changes: Any
) -> Tensor:
    """All weights after three steps along the batch's gradient; an epsilon of 1 keeps Adam from hiding its length."""
    model = a_model()
    chosen = TrainingSettings(epsilon=1.0, gradient_clip=1e9, **changes)
    optimizer = make_optimizer(model, chosen, 0.1)
    for _ in range(3):
        accumulate(model, batches)
        guarded_step(optimizer, 0.1, chosen.gradient_clip)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=4, max_size=4).filter(any),
    st.sampled_from([2, 4]),
    st.sampled_from(["adamw", "sgd"]),
)
def test_micro_batches_give_the_weights_of_the_whole(valid: list[int], parts: int, optimizer: str) -> None:
    batches = split(a_batch(valid), parts)
    torch.testing.assert_close(
        weights_after_steps(accumulate_gradients, batches, optimizer=optimizer),
        weights_after_steps(one_big_batch, batches, optimizer=optimizer),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("bad", [0, 1])
def test_the_usual_bugs_give_other_weights(bad: int, optimizer: str) -> None:
    batches = split(a_batch([8, 8, 1, 0]), 2)
    wrong = weights_after_steps((mean_of_means, never_divided)[bad], batches, optimizer=optimizer)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            wrong, weights_after_steps(one_big_batch, batches, optimizer=optimizer), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize(
    ("bad", "valid"), [(mean_of_means, [8, 8, 1, 0]), (never_divided, [8, 8, 1, 0]), (never_divided, [8, 8, 8, 8])]
)
def test_the_usual_bugs_do_not_pass(bad: Callable[[GPT, list[Batch]], Tensor], valid: list[int]) -> None:
    batches = split(a_batch(valid), 2)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            gradients_of(bad, batches), gradients_of(one_big_batch, batches), rtol=1e-4, atol=1e-6
        )


def test_mean_of_means_is_right_only_where_counts_are_equal() -> None:
    batches = split(a_batch([8, 8, 8, 8]), 2)
    torch.testing.assert_close(
        gradients_of(mean_of_means, batches), gradients_of(one_big_batch, batches), rtol=1e-4, atol=1e-6
    )


def test_summed_loss_is_minus_the_log_probability_of_each_target() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0, 4, IGNORED], [IGNORED, 2, 1]])
    expected = 0.0
    for row in range(2):
        for place in range(3):
            if targets[row, place] != IGNORED:
                expected -= float(logits[row, place].double().softmax(-1)[targets[row, place]].log())
    assert float(summed_loss(logits, targets)) == pytest.approx(expected, rel=1e-6)
    assert summed_loss(logits.bfloat16(), targets).dtype == torch.float32
