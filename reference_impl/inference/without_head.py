"""A GPT that ends before its head: it gives what the head would multiply, to whoever does that a piece at a time."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from reference_impl.model.gpt import GPT


def without_head(model: GPT) -> GPT:
    """The same model, weights shared, whose forward pass gives (batch, k or time, width) instead of logits."""
    bare = copy.copy(model)
    bare._modules = {**model._modules, "head": nn.Identity()}
    return bare


def plain_head(model: GPT) -> Tensor | None:
    """The head's matrix (vocabulary, width), if logits are its plain product in fp32, and None otherwise."""
    head = model.head
    if type(head) is nn.Linear and head.bias is None and head.weight.dtype is model.dtype is torch.float32:
        return head.weight.detach()
    return None
