"""LoRA (Hu et al. 2021) through `peft`: few weights learn, and the model without them is the reference.

`peft` is an extra: nothing else here imports it, and a model without adapters never needs it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from peft import PeftModel

MISSING = "LoRA needs peft, which is not installed: pip install 'gpt-harness[peft]'."


@dataclass(frozen=True)
class LoRA:
    """Which weights an adapter has."""

    rank: int = 16
    """Inner width of each update, which is a product of two matrices."""
    alpha: float = 32.0
    """Updates are scaled by alpha / rank."""
    targets: str | tuple[str, ...] = "all-linear"
    """Names of linear layers, or `all-linear`: all but the head (Schulman et al. 2025, "LoRA Without Regret")."""
    seed: int = 0
    """Of the first of the two matrices; the second begins at 0, so an adapter begins by changing nothing."""

    def __post_init__(self) -> None:
        """Refuse what no adapter can be made of."""
        if self.rank < 1 or not self.alpha > 0:
            raise ValueError(f"an adapter has a rank of 1 or more and an alpha above 0, not {self.rank}, {self.alpha}.")


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
