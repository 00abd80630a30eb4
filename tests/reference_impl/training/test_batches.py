import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.training.batches import IGNORED, training_batch, validation_batches

TOKENS = np.arange(1003, dtype=np.uint16)


def test_targets_are_the_inputs_one_token_later() -> None:
    inputs, targets = training_batch(TOKENS, 5, batch=4, sequence=16, seed=0)
    assert inputs.shape == targets.shape == (4, 16)
    assert inputs.dtype == torch.int64
    assert torch.equal(targets, inputs + 1)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    forwards = [training_batch(TOKENS, step, batch=4, sequence=16, seed=3)[0] for step in range(60)]
    backwards = [training_batch(TOKENS, step, batch=4, sequence=16, seed=3)[0] for step in reversed(range(60))]
    for a, b in zip(forwards, reversed(backwards), strict=True):
        assert torch.equal(a, b)
    other = training_batch(TOKENS, 0, batch=4, sequence=16, seed=4)[0]
    assert not torch.equal(forwards[0], other)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5), st.integers(1, 7), st.integers(2, 40))
def test_an_epoch_sees_no_token_twice_and_nearly_every_one(seed: int, batch: int, sequence: int) -> None:
    windows = (len(TOKENS) - sequence) // sequence
    steps = -(-windows // batch)
    rows = torch.cat([training_batch(TOKENS, s, batch=batch, sequence=sequence, seed=seed)[1] for s in range(steps)])
    seen = rows[:windows].flatten()
    assert len(seen.unique()) == len(seen) > len(TOKENS) - 2 * sequence - 1


def test_the_next_epoch_has_another_order_and_another_cut() -> None:
    windows = (len(TOKENS) - 16) // 16
    first = training_batch(TOKENS, 0, batch=windows, sequence=16, seed=0)[0]
    second = training_batch(TOKENS, 1, batch=windows, sequence=16, seed=0)[0]
    assert not torch.equal(first, second)
    assert first[0, 0] % 16 != second[0, 0] % 16


@pytest.mark.parametrize("length", [17, 18, 31, 32, 33, 34])
def test_streams_of_about_one_window(length: int) -> None:
    inputs, targets = training_batch(TOKENS[:length], 9, batch=3, sequence=16, seed=0)
    assert inputs.shape == (3, 16)
    assert int(targets.max()) < length


def test_too_short_a_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="16 tokens are too few for sequences of 16"):
        training_batch(TOKENS[:16], 0, batch=1, sequence=16, seed=0)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 300), st.integers(1, 5), st.integers(1, 40))
def test_validation_predicts_every_token_but_the_first_once_and_in_order(
    length: int, batch: int, sequence: int
) -> None:
    batches = list(validation_batches(TOKENS[:length], batch=batch, sequence=sequence))
    assert all(inputs.shape == targets.shape == (len(inputs), sequence) for inputs, targets in batches)
    assert all(len(inputs) <= batch for inputs, _ in batches)
    inputs = torch.cat([inputs.flatten() for inputs, _ in batches])
    targets = torch.cat([targets.flatten() for _, targets in batches])
    real = targets != IGNORED
    assert targets[real].tolist() == list(range(1, length))
    assert inputs[real].tolist() == list(range(length - 1))
