"""Put a model together from tensors that come one by one, storing each block's weights before the next is read.

So a model of many gigabytes needs the memory of its stored form and one block more, never two copies.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import Scheme, quantize_
from reference_impl.training.checkpoint_weights import all_finite


def assemble(
    config: GPTConfig, tensors: Iterable[tuple[str, Tensor]], stored: Scheme | torch.dtype = torch.float32
) -> GPT:
    """The model of a shape, from (our name, tensor) pairs whose blocks come one after the other.

    stored: a scheme, or the type that everything is cast to. Returns it in evaluation mode.
    Raises ValueError for a tensor of another shape, an unknown name, a missing tensor, values that aren't finite, and
    where `quantize_` does.
    """
    with torch.device("meta"):
        model = GPT(config).eval()
    done = 0
    for name, tensor in tensors:
        block = int(name.split(".")[1]) if name.startswith("blocks.") else None
        if block is not None and block > done:
            _store(model.blocks[done], stored)
            done = block
        _place(model, name, tensor)
    if config.tie_head:
        model.head.weight = model.token_embedding.weight
    missing = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if missing:
        raise ValueError(f"{len(missing)} weights are missing, such as {missing[0]}: is this the whole checkpoint?")
    _store(model, stored)
    return model


def _place(model: GPT, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    try:
        module = model.get_submodule(path)
        expected = getattr(module, leaf).shape
    except AttributeError as error:
        raise ValueError(f"there is no weight {name!r} in a model of this shape: is this its config?") from error
    if tensor.shape != expected:
        raise ValueError(
            f"{name} is {tuple(tensor.shape)} and should be {tuple(expected)}: these weights are of another shape."
        )
    if not all_finite(tensor):
        raise ValueError(f"{name} holds values that aren't finite numbers: fetch or copy the weights again.")
    setattr(module, leaf, nn.Parameter(tensor.contiguous(), requires_grad=False))


def _store(module: nn.Module, stored: Scheme | torch.dtype) -> None:
    if isinstance(stored, torch.dtype):
        module.to(stored)
    else:
        quantize_(module, stored)
