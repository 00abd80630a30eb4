"""Store the weights of any model made of linear layers in fewer bits, in place.

    quantize_(model, "int8")    # or "bf16", "int4", "int8-dynamic", "nf4", "fp4"
    quantize_(model, "int4-gptq", calibration=batches)

What becomes what:

* every `nn.Linear`, and `transformers`' Conv1D (GPT-2): the format that `WEIGHTS` names, the head included. Shapes that
  the kernels don't take are padded, so no layer is left out.
* an embedding whose weight is tied to a linear layer: with bf16 and int8 it shares that layer's one tensor; with 4 bits
  it gets an int8 tensor of its own, because a token's whole meaning would otherwise go through 4 bits.
* embeddings that are only looked up, and biases: bf16. Norms: the type of the activations. Buffers keep their type
  (rotary frequencies need fp32).

Layers are converted one by one, each freed before the next, so two copies of the model never exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reference_impl.inference.bf16 import Bf16Weight
from reference_impl.inference.bitsandbytes_weight import BitsAndBytesWeight
from reference_impl.inference.gptq import Int4Codes, gptq_codes
from reference_impl.inference.int4 import Int4Weight
from reference_impl.inference.int8 import Int8Weight
from reference_impl.inference.linear_layers import is_linear, weight_of
from reference_impl.inference.llm_int8 import DynamicInt8Weight
from reference_impl.inference.quantized_modules import QuantizedEmbedding, QuantizedLinear
from reference_impl.inference.weight_format import dense_type
from reference_impl.training.checkpoint import all_finite

Scheme = Literal["bf16", "int8", "int8-dynamic", "int4", "int4-gptq", "nf4", "fp4"]

Stored = Bf16Weight | Int8Weight | DynamicInt8Weight | Int4Weight | BitsAndBytesWeight

WEIGHTS: dict[Scheme, Callable[[Tensor], Stored]] = {
    "bf16": Bf16Weight,
    "int8": Int8Weight,
    "int8-dynamic": DynamicInt8Weight,
    "int4": Int4Weight,
    "int4-gptq": Int4Weight,  # for layers that the calibration text does not reach
    "nf4": partial(BitsAndBytesWeight, format="nf4"),
    "fp4": partial(BitsAndBytesWeight, format="fp4"),
}


@torch.no_grad()
def quantize_(
    model: nn.Module,
    scheme: Scheme,
    activations: torch.dtype | None = None,
    calibration: Sequence[Tensor] = (),
) -> nn.Module:
    """Store the weights of `model` as `scheme` says, in place, for inference only; give it back.

    activations: the type between the layers; by default the one that the device is fast in (`dense_type`).
    calibration: for `int4-gptq`, and for it alone, batches of token ids (batch, time): see `gptq_codes`.
    The model is left in evaluation mode, without gradients. Give it in fp32, or a rounding to bf16 comes before the
    rounding to integers.
    Raises ValueError for an unknown scheme, for a model without a linear layer and for weights that aren't finite.
    """
    if scheme not in get_args(Scheme):
        raise ValueError(f"there is no quantisation scheme {scheme!r}: take one of {', '.join(get_args(Scheme))}.")
    places = _places_by_weight(model)
    if not any(is_linear(getattr(parent, name)) for places_ in places for parent, name in places_):
        raise ValueError(f"{type(model).__name__} has no linear layer to quantise.")
    if activations is None:
        activations = dense_type(next(model.parameters()).device.type)
    codes: dict[nn.Module, Int4Codes] = {}
    if scheme == "int4-gptq":
        codes = gptq_codes(model.eval(), calibration)
    for users in places:
        _replace(users, scheme, activations, codes)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(activations)
    return model.eval().requires_grad_(False)


Place = tuple[nn.Module, str]
"""A module's parent and its name there."""


def _places_by_weight(model: nn.Module) -> list[list[Place]]:
    """Where linear layers and embeddings stand, those that share a weight together."""
    places: dict[int, list[Place]] = {}
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is not None and (is_linear(child) or type(child) is nn.Embedding):
                places.setdefault(id(child.weight), []).append((parent, name))
    return list(places.values())


def _replace(users: list[Place], scheme: Scheme, activations: torch.dtype, codes: dict[nn.Module, Int4Codes]) -> None:
    """Put quantised modules where those that share one weight stand; `codes` are known for some layers."""
    modules = [getattr(parent, name) for parent, name in users]
    linears = [module for module in modules if is_linear(module)]
    source = weight_of(linears[0] if linears else modules[0])
    if not source.is_meta and not all_finite(source):
        name = users[0][1]
        raise ValueError(
            f"the weight of {name!r} holds values that aren't finite: it can't be quantised, train it again."
        )
    known = next((codes.pop(layer) for layer in linears if layer in codes), None)
    weight: Stored
    if known is not None:
        weight = Int4Weight.from_codes(known.codes, known.scale, known.zero, known.in_features)
    else:
        weight = WEIGHTS[scheme](source) if linears else Bf16Weight(source)
    replacements: dict[int, nn.Module] = {}  # a module that stands in several places stays one module
    for module in linears:
        replacements[id(module)] = QuantizedLinear(weight, module.bias)
    if len(linears) < len(modules):
        rows = Int8Weight(source) if isinstance(weight, Int4Weight | BitsAndBytesWeight) else weight
        embedding = QuantizedEmbedding(rows, activations)
    for (parent, name), module in zip(users, modules, strict=True):
        setattr(parent, name, replacements.get(id(module)) or embedding)
