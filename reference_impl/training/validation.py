"""Loss on text that was not trained on: a fixed, full pass, so that two numbers differ only by the model."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from reference_impl.text.packing import Tokens
from reference_impl.training.accumulation import summed_loss
from reference_impl.training.batches import validation_batches
from reference_impl.training.precision import autocast


@dataclass(frozen=True)
class Validation:
    """The loss of a model on a stream of tokens."""

    nats: float
    """Summed over all targets: every token but the first."""
    targets: int
    """How many tokens were predicted."""

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.targets

    def bits_per_byte(self, text_bytes: int) -> float:
        """Bits per byte of the text that the stream stands for: independent of the tokenizer.

        `text_bytes`: UTF-8 bytes of the predicted tokens (`<|endoftext|>` has none, but its nats count).
        """
        return self.nats / math.log(2) / text_bytes


@torch.no_grad()
def validate(
    model: nn.Module, tokens: Tokens, *, batch: int, sequence: int, precision: Literal["fp32", "bf16"] = "fp32"
) -> Validation:
    """Full pass over `tokens` (time,) in windows of `sequence` side by side.

    Each window is read without what stands before it, so its first tokens are predicted from little; that is
    the same for every model with the same `sequence`. Leaves the model in the mode it was in.
    Raises ValueError if there are fewer than two tokens.
    """
    if len(tokens) < 2:
        raise ValueError("validation needs at least two tokens: give some validation text.")
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    nats = torch.zeros((), dtype=torch.float64, device=device)
    for inputs, targets in validation_batches(tokens, batch=batch, sequence=sequence):
        with autocast(precision, device):
            logits = model(inputs.to(device))
        nats += summed_loss(logits, targets.to(device))
    model.train(was_training)
    return Validation(nats=float(nats), targets=len(tokens) - 1)
