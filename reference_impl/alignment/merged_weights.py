"""The weights that a model computes with, adapters merged into them, while the model itself stays as it is.

`peft` can merge an adapter into the layer and take it out again, but what comes back differs in its last bits, so a
base model would drift from rollout to rollout. Here a copy of the layer is merged, one layer at a time.
"""

from __future__ import annotations

import copy
import sys

import torch
from torch import Tensor, nn

from reference_impl.model.gpt import GPT
from reference_impl.quantization.loading import assemble

PLAIN = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm)
PLAIN_IN_TRANSFORMERS = ("Conv1D", "LlamaRMSNorm")
"""Layers that compute with their weight and bias as they are: torch's, and those of `transformers`' GPT-2 and Llama."""


class CannotMerge(ValueError):
    """A layer does more than its weight says."""


@torch.no_grad()
def merged_weight(root: nn.Module, name: str) -> Tensor:
    """The parameter called `name` in the model without adapters, as the model with its active adapters uses it.

    A plain layer's is the parameter itself, shared; an adapted layer's is a merged copy. Raises CannotMerge for a
    layer of another kind: whoever copied its weight would leave out what else it does.
    """
    path, _, leaf = name.rpartition(".")
    module = _unwrapped(root.get_submodule(path), path)
    found = getattr(module, leaf, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"there is no weight {name} in this model.")
    return found.detach()


def merged_gpt(model: GPT) -> GPT:
    """Our GPT with adapters in its layers, as one without: adapted weights are merged copies, the others are shared.

    The model itself where it has no adapter, and where one of its layers can't be merged.
    """
    with torch.device("meta"):
        plain = GPT(model.config)
    if model.state_dict().keys() == plain.state_dict().keys():
        return model
    names = [name for name, _ in plain.named_parameters()]
    try:
        return assemble(model.config, ((name, merged_weight(model, name)) for name in names), model.dtype)
    except CannotMerge:
        return model


def _unwrapped(module: nn.Module, path: str) -> nn.Module:
    """The layer itself; with an adapter, a copy that has the adapter merged."""
    peft = sys.modules.get("peft")
    if peft is not None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        if isinstance(module, BaseTunerLayer):
            if module.merged:  # merged by whoever owns the model: the weights are what they compute with
                return _unwrapped(module.get_base_layer(), path)
            if module.disable_adapters or not module.active_adapters:
                return _unwrapped(module.get_base_layer(), path)
            merged = copy.deepcopy(module)
            merged.merge()
            return _unwrapped(merged.get_base_layer(), path)
    kind = type(module)
    theirs = kind.__module__.startswith("transformers.") and kind.__name__ in PLAIN_IN_TRANSFORMERS
    if kind not in PLAIN and not theirs:
        raise CannotMerge(f"{path} is {kind.__name__}, which does more than its weight says.")
    return module
