"""Which modules of a model are linear layers, and their weight as (out, in).

`nn.Linear`, and `transformers`' Conv1D (GPT-2), which keeps its weight transposed. A subclass is left alone: it may
read its weight in ways of its own.
"""

from __future__ import annotations

import sys

from torch import Tensor, nn


def is_linear(module: nn.Module) -> bool:
    """Exactly nn.Linear or Conv1D."""
    return type(module) is nn.Linear or _is_conv1d(module)


def weight_of(module: nn.Module) -> Tensor:
    """A linear layer's weight as (out, in): a view, so writing to it changes the layer."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.t() if _is_conv1d(module) else weight


def _is_conv1d(module: nn.Module) -> bool:
    pytorch_utils = sys.modules.get("transformers.pytorch_utils")  # can't be one if it was never imported
    return pytorch_utils is not None and type(module) is pytorch_utils.Conv1D
