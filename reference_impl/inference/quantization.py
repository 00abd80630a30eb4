"""Turn any model made of linear layers into one whose weights are integers, in place.

    quantize_(model, "int8")    # or "int4"

What becomes what:

* every `nn.Linear`, and `transformers`' Conv1D (GPT-2): int8 per output channel, or int4 in groups of 32, the head
  included. Shapes that the kernels don't take are padded, so no layer is left out.
* an embedding whose weight is tied to a linear layer: with int8 it shares that layer's one integer tensor; with int4
  it gets an int8 tensor of its own, because a token's whole meaning would otherwise go through 4 bits.
* embeddings that are only looked up, LayerNorms and biases: bf16. Buffers keep their type (rotary frequencies
  need fp32).

Layers are converted one by one, each freed before the next, so two copies of the model never exist.
"""

from __future__ import annotations

import sys
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reference_impl.inference.int4 import Int4Weight
from reference_impl.inference.int8 import Int8Weight
from reference_impl.inference.quantized_modules import QuantizedEmbedding, QuantizedLinear

Scheme = Literal["int8", "int4"]

WEIGHTS: dict[Scheme, type[Int8Weight] | type[Int4Weight]] = {"int8": Int8Weight, "int4": Int4Weight}


@torch.no_grad()
def quantize_(model: nn.Module, scheme: Scheme) -> nn.Module:
    """Quantise the weights of `model` in place, for inference only; give it back.

    The model is left in evaluation mode, without gradients, with bf16 activations. Give it in fp32, or the
    rounding to bf16 comes before the rounding to integers.
    Raises ValueError for an unknown scheme and for a model without a linear layer.
    """
    if scheme not in get_args(Scheme):
        raise ValueError(f"there is no quantisation scheme {scheme!r}: take one of {', '.join(get_args(Scheme))}.")
    places = _places_by_weight(model)
    if not any(_is_linear(getattr(parent, name)) for places_ in places for parent, name in places_):
        raise ValueError(f"{type(model).__name__} has no linear layer to quantise.")
    for users in places:
        _replace(users, scheme)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(torch.bfloat16)
    return model.eval().requires_grad_(False)


Place = tuple[nn.Module, str]
"""A module's parent and its name there."""


def _places_by_weight(model: nn.Module) -> list[list[Place]]:
    """Where linear layers and embeddings stand, those that share a weight together."""
    places: dict[int, list[Place]] = {}
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is not None and (_is_linear(child) or type(child) is nn.Embedding):
                places.setdefault(id(child.weight), []).append((parent, name))
    return list(places.values())


def _replace(users: list[Place], scheme: Scheme) -> None:
    """Put quantised modules where those that share one weight stand, unless it's only looked up."""
    modules = [getattr(parent, name) for parent, name in users]
    linears = [module for module in modules if _is_linear(module)]
    if not linears:
        return
    source = _weight(linears[0])
    weight = WEIGHTS[scheme](source)
    replacements: dict[int, nn.Module] = {}  # a module that stands in several places stays one module
    for module in linears:
        replacements[id(module)] = QuantizedLinear(weight, module.bias)
    if len(linears) < len(modules):
        rows = weight if isinstance(weight, Int8Weight) else Int8Weight(source)
        embedding = QuantizedEmbedding(rows)
    for (parent, name), module in zip(users, modules, strict=True):
        setattr(parent, name, replacements.get(id(module)) or embedding)


def _is_linear(module: nn.Module) -> bool:
    """Exactly nn.Linear or Conv1D: a subclass may read its weight in ways of its own."""
    return type(module) is nn.Linear or _is_conv1d(module)


def _is_conv1d(module: nn.Module) -> bool:
    """Whether it's `transformers`' Conv1D, a linear layer with a transposed weight."""
    pytorch_utils = sys.modules.get("transformers.pytorch_utils")  # can't be one if it was never imported
    return pytorch_utils is not None and type(module) is pytorch_utils.Conv1D


def _weight(module: nn.Module) -> Tensor:
    """A linear layer's weight as (out, in)."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.t() if _is_conv1d(module) else weight
