"""Which modules of a model are linear layers, and their weight as (out, in).

`nn.Linear`, and `transformers`' Conv1D (GPT-2), which keeps its weight transposed. A subclass of `nn.Linear` is one
too if it computes nothing else, which is tried.
"""

from __future__ import annotations

import sys
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def is_linear(module: nn.Module) -> bool:
    """nn.Linear, Conv1D, or what computes the same as nn.Linear."""
    if type(module) is nn.Linear or _is_conv1d(module):
        return True
    return isinstance(module, nn.Linear) and _computes_as_linear(module)


def weight_of(module: nn.Module) -> Tensor:
    """A linear layer's weight as (out, in): a view, so writing to it changes the layer."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.t() if _is_conv1d(module) else weight


_KNOWN: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def _computes_as_linear(module: nn.Linear) -> bool:
    """Whether a subclass gives x W^T + b, tried on two rows; it may well do more, as routers and adapters do."""
    if module not in _KNOWN:
        _KNOWN[module] = type(module).forward is nn.Linear.forward or _agrees(module)
    return _KNOWN[module]


@torch.no_grad()
def _agrees(module: nn.Linear) -> bool:
    if module.weight.is_meta or module.weight.shape != (module.out_features, module.in_features):
        return False
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, module.in_features, generator=generator).to(module.weight)
    expected = F.linear(x, module.weight, module.bias)
    try:
        got = module(x)
    except Exception:  # whatever a layer of someone else's raises at an input that it wasn't made for
        return False
    return isinstance(got, Tensor) and got.shape == expected.shape and torch.allclose(got, expected, rtol=1e-3)


def _is_conv1d(module: nn.Module) -> bool:
    pytorch_utils = sys.modules.get("transformers.pytorch_utils")  # can't be one if it was never imported
    return pytorch_utils is not None and type(module) is pytorch_utils.Conv1D
