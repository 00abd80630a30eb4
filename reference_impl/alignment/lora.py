"""LoRA (Hu et al. 2021) through `peft`: few weights learn, and the model without them is the reference.

`peft` is an extra: nothing else here imports it, and a model without adapters never needs it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from torch import nn

from reference_impl.alignment.settings.lora import LoRA

if TYPE_CHECKING:
    from peft import PeftModel

MISSING = "LoRA needs peft, which is not installed: pip install 'gpt-harness[peft]'."


def add_lora(model: nn.Module, settings: LoRA) -> PeftModel:
    """The `transformers` model with an adapter that learns; its own weights stop learning. Changes `model` in place.

    Raises ValueError where peft is not installed, or the model has none of the layers.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ValueError(MISSING) from error
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=settings.rank, lora_alpha=settings.alpha, target_modules=targets, lora_dropout=0.0
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        return get_peft_model(model, config)


def is_adapted(model: nn.Module) -> bool:
    """Whether the model is `peft`'s wrapper. Does not import peft: where it was never imported, nothing is."""
    peft = sys.modules.get("peft")
    return peft is not None and isinstance(model, peft.PeftModel)
