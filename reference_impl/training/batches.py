"""Which tokens a model sees at which step: a pure function of (seed, step).

The stream of tokens (`reference_impl.text.packing`) is cut into windows of one sequence each. An epoch is a
random order of all windows, and each epoch cuts at another offset, so that every token is seen once
per epoch and in another place next time. Nothing depends on what was drawn before: a run that goes
on from step 1000 sees what a straight run sees.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reference_impl.text.packing import Tokens

IGNORED = -100
"""Target where nothing is to be predicted (torch's own `ignore_index`)."""

Batch = tuple[Tensor, Tensor]
"""inputs and targets: each (batch, sequence) int64 on the CPU; targets are the inputs one token later."""


def training_batch(tokens: Tokens, step: int, *, batch: int, sequence: int, seed: int) -> Batch:
    """The batch of `step` (from 0): inputs and targets, each (batch, sequence).

    Raises ValueError if the stream is too short for one window.
    """
    windows = (len(tokens) - sequence) // sequence  # one window is left for the offset
    if len(tokens) <= sequence:
        raise ValueError(
            f"{len(tokens)} tokens are too few for sequences of {sequence}: give more text or shorten `sequence`."
        )
    windows = max(windows, 1)
    starts = [
        _window_start(index, windows, len(tokens), sequence, seed) for index in range(step * batch, (step + 1) * batch)
    ]
    drawn = torch.from_numpy(np.stack([tokens[start : start + sequence + 1] for start in starts]).astype(np.int64))
    return drawn[:, :-1].contiguous(), drawn[:, 1:].contiguous()


def _window_start(index: int, windows: int, length: int, sequence: int, seed: int) -> int:
    epoch, place = divmod(index, windows)
    order, offset = _epoch(windows, length - windows * sequence, seed, epoch)
    return int(order[place]) * sequence + offset


@lru_cache(maxsize=4)
def _epoch(windows: int, slack: int, seed: int, epoch: int) -> tuple[npt.NDArray[np.int64], int]:
    """The order of the windows and the offset of the cut, below `slack`, in one epoch."""
    generator = np.random.default_rng([seed, epoch])
    return generator.permutation(windows), int(generator.integers(slack))


def validation_batches(tokens: Tokens, *, batch: int, sequence: int) -> Iterator[Batch]:
    """Windows side by side that predict every token but the first exactly once, in order.

    The last window is filled up with targets that are `IGNORED`.
    """
    predicted = len(tokens) - 1
    per_batch = batch * sequence
    for start in range(0, predicted, per_batch):
        piece = np.asarray(tokens[start : start + per_batch + 1]).astype(np.int64)
        rows = -(-(len(piece) - 1) // sequence)
        inputs = np.zeros(rows * sequence, dtype=np.int64)
        targets = np.full(rows * sequence, IGNORED, dtype=np.int64)
        inputs[: len(piece) - 1] = piece[:-1]
        targets[: len(piece) - 1] = piece[1:]
        yield (
            torch.from_numpy(inputs).view(rows, sequence),
            torch.from_numpy(targets).view(rows, sequence),
        )
