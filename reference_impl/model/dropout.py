"""Dropout whose random numbers cost little on a CPU.

torch draws its masks one number after the other on one core, which is a fifth of a training step of a small GPT. Here
numpy's SFC64 makes 16 random bits per element, several times as fast. Its seed is drawn from torch's own generator, so
that `torch.manual_seed` determines the masks as before, and a saved random state brings them back.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

_LEVELS = 1 << 16
"""The probability is kept to so many parts; what is kept is scaled by the exact probability of those."""


def dropout(x: Tensor, probability: float) -> Tensor:
    """`x` with each element 0 with this probability and the others scaled so that the mean stays (Srivastava 2014).

    x: any shape. On other devices than a CPU it is torch's own.
    """
    if probability == 0.0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, probability)
    dropped = min(round(probability * _LEVELS), _LEVELS - 1)
    seed = int(torch.randint(1 << 62, ()))
    words = np.random.SFC64(seed).random_raw(-(-x.numel() // 4))
    keep = torch.from_numpy(words.view(np.uint16)[: x.numel()] >= np.uint16(dropped)).view(x.shape)
    return x * keep.to(x.dtype).mul_(_LEVELS / (_LEVELS - dropped))


class Dropout(nn.Module):
    """`dropout` while training, nothing otherwise."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape."""
        return dropout(x, self.probability) if self.training else x
