"""Rotary positions that are scaled by the longest text so far: each text by itself, whatever was read before it.

Dynamic NTK scaling in `transformers` keeps the frequencies of the longest text that the model has read, and goes on
with them for shorter ones that are beyond the original length. A score would depend on the order of the texts.
"""

from __future__ import annotations

from typing import Any

from torch import nn


def forget_lengths(model: nn.Module) -> None:
    """Let every pass begin as the first one of a freshly loaded model."""
    for module in model.modules():
        if hasattr(module, "max_seq_len_cached") and "dynamic" in str(getattr(module, "rope_type", "")):
            module.register_forward_pre_hook(_as_loaded)


def _as_loaded(module: Any, given: Any) -> None:
    for name in [name for name in vars(module) if name.endswith("max_seq_len_cached")]:
        prefix = name.removesuffix("max_seq_len_cached")
        original = getattr(module, f"{prefix}original_inv_freq", None)
        if original is not None and getattr(module, name) > module.original_max_seq_len:
            current = getattr(module, f"{prefix}inv_freq")
            module.register_buffer(f"{prefix}inv_freq", original.to(current.device), persistent=False)
            setattr(module, name, module.original_max_seq_len)
