"""Store the weights of any model made of linear layers in fewer bits, in place.

    quantize_(model, "int8")    # or "bf16", "int4", "int8-dynamic", "nf4", "fp4"
    quantize_(model, "int4-gptq", calibration=batches)

What becomes what:

* every linear layer (`nn.Linear`, subclasses of it, `transformers`' Conv1D of GPT-2): the format that `WEIGHTS` names,
  the head included. Shapes that the kernels don't take are padded.
* the experts of a mixture, (experts, out, in) or transposed: each expert's matrix in that format.
* an embedding whose weight is tied to a linear layer: with bf16 and int8 it shares that layer's one tensor; with 4 bits
  it gets an int8 tensor of its own, because a token's whole meaning would otherwise go through 4 bits.
* embeddings that are only looked up, and biases: bf16. Norms: the type of the activations. Buffers keep their type
  (rotary frequencies need fp32).
* every other matrix, such as a router's: the type of the activations. `left_wide` names them, and says why.

Layers are converted one by one, each freed before the next, so two copies of the model never exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reference_impl.quantization.bf16 import Bf16Weight
from reference_impl.quantization.bitsandbytes_weight import BitsAndBytesWeight
from reference_impl.quantization.gptq import Int4Codes, gptq_codes
from reference_impl.quantization.int4 import Int4Weight
from reference_impl.quantization.int8 import Int8Weight
from reference_impl.quantization.linear_layers import is_linear, weight_of
from reference_impl.quantization.llm_int8 import DynamicInt8Weight
from reference_impl.quantization.quantized_modules import QuantizedEmbedding, QuantizedLinear
from reference_impl.quantization.stored_weight import StoredWeight, store_experts
from reference_impl.quantization.weight_format import dense_type
from reference_impl.training.checkpoint_weights import all_finite

Scheme = Literal["bf16", "int8", "int8-dynamic", "int4", "int4-gptq", "nf4", "fp4"]

WEIGHTS: dict[Scheme, Callable[[Tensor], StoredWeight]] = {
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
        raise ValueError(f"there is no quantization scheme {scheme!r}: take one of {', '.join(get_args(Scheme))}.")
    places = _places_by_weight(model)
    if not any(is_linear(getattr(parent, name)) for users in places for parent, name in users):
        raise ValueError(f"{type(model).__name__} has no linear layer to quantize.")
    if activations is None:
        activations = dense_type(next(model.parameters()).device.type)
    codes: dict[nn.Module, Int4Codes] = {}
    if scheme == "int4-gptq":
        codes = gptq_codes(model.eval(), calibration)
    format = _Format(scheme, activations)
    biases: dict[nn.Parameter, Tensor] = {}
    for users in places:
        _replace(users, format, codes, biases)
    for parent, name, transposed in list(_expert_places(model)):
        experts = parent._parameters[name]
        assert experts is not None
        _refuse_infinite(experts, name)
        stored = store_experts(experts.detach(), transposed, format.of)
        stored.dtype = activations
        del parent._parameters[name]
        parent.add_module(name, stored)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = biases.get(parameter, parameter.data).to(activations)
    return model.eval().requires_grad_(False)


@dataclass(frozen=True)
class _Format:
    """How matrices are stored in one model."""

    scheme: Scheme
    activations: torch.dtype

    def of(self, weight: Tensor) -> StoredWeight:
        """A matrix (out, in) in the scheme's format."""
        # an int4-gptq weight that comes here was not reached by the calibration text
        return self.named(WEIGHTS[self.scheme](weight), "int4" if self.scheme == "int4-gptq" else self.scheme)

    def named(self, stored: StoredWeight, label: str) -> StoredWeight:
        """What is stored, with its label and the type that it is read as."""
        stored.label, stored.dtype = label, self.activations
        return stored


Place = tuple[nn.Module, str]
"""A module's parent and its name there."""


def _places_by_weight(model: nn.Module) -> list[list[Place]]:
    """Where linear layers and embeddings stand, those that share a weight together."""
    places: dict[int, list[Place]] = {}
    for parent in model.modules():
        for name, child in parent._modules.items():
            known = isinstance(child, nn.Linear | nn.Embedding) or (child is not None and is_linear(child))
            if known and child is not None and isinstance(child.weight, Tensor) and child.weight.dim() == 2:
                places.setdefault(id(child.weight), []).append((parent, name))
    return list(places.values())


TRANSPOSED_EXPERTS = {"Llama4TextExperts": True, "JetMoeParallelExperts": False, "GraniteMoeParallelExperts": False}
"""Classes of experts that don't declare how their weights lie, by whether that is (experts, in, out)."""


def _expert_places(model: nn.Module) -> Iterator[tuple[nn.Module, str, bool]]:
    """Parameters that hold all experts of a mixture in three dimensions, and whether they lie as (experts, in, out)."""
    for module in model.modules():
        transposed = getattr(module, "is_transposed", TRANSPOSED_EXPERTS.get(type(module).__name__))
        if isinstance(transposed, bool):
            for name, parameter in module._parameters.items():
                if parameter is not None and parameter.dim() == 3:
                    yield module, name, transposed


def left_wide(model: nn.Module, scheme: Scheme) -> dict[str, str]:
    """Matrices of a model that `quantize_` has brought to `scheme` and that are not in its format: name and reason."""
    found: dict[str, str] = {}
    for prefix, module in model.named_modules():
        looks_up = isinstance(module, QuantizedEmbedding | nn.Embedding)
        if looks_up and scheme != "bf16" and isinstance(module.weight, Bf16Weight):
            found[f"{prefix}.weight"] = "an embedding that is only looked up"
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.dim() > 1:
                of_no_layer = f"a parameter of {type(module).__name__}, which is no linear layer"
                found[f"{prefix}.{name}"] = "a bias" if "bias" in name else of_no_layer
    return found


def _replace(
    users: list[Place], format: _Format, codes: dict[nn.Module, Int4Codes], biases: dict[nn.Parameter, Tensor]
) -> None:
    """Put quantized modules where those that share one weight stand; `codes` are known for some layers.

    biases: as they are stored, added to here: one that several modules share is stored once.
    A subclass that does more than its base stays, and reads a stored weight.
    """
    modules = [getattr(parent, name) for parent, name in users]
    embeddings = [module for module in modules if isinstance(module, nn.Embedding)]
    linears = [module for module in modules if module not in embeddings]
    source = weight_of(linears[0] if linears else modules[0])
    _refuse_infinite(source, users[0][1])
    known = next((codes.pop(layer) for layer in linears if layer in codes), None)
    if known is not None:
        from_codes = Int4Weight.from_codes(known.codes, known.scale, known.zero, known.in_features)
        weight = format.named(from_codes, format.scheme)
    else:
        weight = format.of(source) if linears else format.named(Bf16Weight(source), "bf16")
    rows = weight
    if embeddings and isinstance(weight, Int4Weight | BitsAndBytesWeight):
        rows = format.named(Int8Weight(source), "int8")
    replacements: dict[int, nn.Module] = {}  # a module that stands in several places stays one module
    for module in modules:
        bias = getattr(module, "bias", None)
        if isinstance(bias, nn.Parameter):
            bias = biases.setdefault(bias, bias.detach().to(torch.bfloat16))
        if module in embeddings:
            stands_for: nn.Module = QuantizedEmbedding(rows, format.activations)
            read = rows
        else:
            read = weight
            stands_for = QuantizedLinear(weight, bias)
        if not _does_more(module):
            replacements[id(module)] = stands_for
        else:
            del module._parameters["weight"]
            module.add_module("weight", read)
    for (parent, name), module in zip(users, modules, strict=True):
        setattr(parent, name, replacements.get(id(module), module))


def _does_more(module: nn.Module) -> bool:
    return type(module) is not nn.Embedding and not is_linear(module)


def _refuse_infinite(weight: Tensor, name: str) -> None:
    if not weight.is_meta and not all_finite(weight):
        raise ValueError(
            f"the weight of {name!r} holds values that aren't finite: it can't be quantized, train it again."
        )
