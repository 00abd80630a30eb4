"""How large the numbers are inside of a reference GPT, layer by layer: its forward pass, written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.errors import Unsupported
from harness.models.reference import ReferenceModel
from reference_impl.model.forward_pass import Attention
from reference_impl.model.gpt import GPT

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel


@dataclass
class Activations:
    """Of one text. RMS: root mean square over its tokens and the width."""

    stream: list[float] = field(default_factory=list)
    """RMS of the residual stream: the embeddings, then after each block. (layers + 1,)"""
    read: list[float] = field(default_factory=list)
    """RMS of what the attention of each block reads: the stream through the norm, where there is one. (layers,)"""
    largest: float = 0.0
    """Largest absolute element of the stream."""


def as_reference(model: LanguageModel) -> ReferenceModel:
    """The model as a reference model. Raises Unsupported for any other kind: where its layers are isn't known."""
    if not isinstance(model, ReferenceModel):
        raise Unsupported("only a reference model shows its activations")
    return model


def untrained(gpt: GPT, seed: int) -> GPT:
    """A model of the same shape as it starts from this seed, on the same device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT(gpt.config).to(gpt.device).eval()


@torch.inference_mode()
def activations(gpt: GPT, tokens: Tensor, attention: Attention | None = None) -> Activations:
    """Read one text and look. tokens: (1, time) on the model's device, at most the context.

    attention: left out, the model's.
    """
    given = gpt.begin(tokens, attention=attention)
    x = gpt.embed(tokens, given)
    seen = Activations(stream=[_rms(x)], largest=_largest(x))
    blocks: list[Any] = list(gpt.blocks)
    for block in blocks:
        seen.read.append(_rms(block.attention_norm(x)))
        x = block(x, given)
        seen.stream.append(_rms(x))
        seen.largest = max(seen.largest, _largest(x))
    return seen


def _largest(x: Tensor) -> float:
    return float(x.abs().max())


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())
