"""Gradients of one batch, in as many micro-batches as memory needs, always the same gradients.

The field's most repeated bug is to take the mean of each micro-batch's mean: with unequal numbers of
targets, tokens of short micro-batches then weigh more, and when the division by the number of micro-batches
is forgotten the gradient grows with it, which Adam hides from the loss curve. Here losses are summed, and the
sum is divided once by the number of targets in the whole batch.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from reference_impl.training.batches import IGNORED, Batch
from reference_impl.training.precision import autocast


def summed_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats, summed over the targets that aren't `IGNORED`, computed in fp32.

    logits: (batch, time, vocabulary). targets: (batch, time) int64. Returns a scalar.
    """
    return F.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="sum")


def accumulate_gradients(
    model: nn.Module, micro_batches: Sequence[Batch], precision: Literal["fp32", "bf16"] = "fp32"
) -> Tensor:
    """Adds the gradient of the mean loss per target over all of `micro_batches` to the parameters' `.grad`.

    The micro-batches may differ in shape and in how many of their targets are `IGNORED`. They must be on the
    model's device. Returns that mean loss in nats: a detached scalar. No target at all gives NaN.
    """
    device = micro_batches[0][0].device
    targets = torch.stack([(targets != IGNORED).sum() for _, targets in micro_batches]).sum()
    total = torch.zeros((), device=device)
    for inputs, wanted in micro_batches:
        with autocast(precision, device):
            logits = model(inputs)
        loss = summed_loss(logits, wanted) / targets
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total
