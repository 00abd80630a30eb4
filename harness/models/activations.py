"""How large the numbers are inside of a reference GPT, layer by layer: seen by forward hooks, the model unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.errors import Unsupported
from harness.models.reference import ReferenceModel
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


def reference_gpt(model: LanguageModel) -> GPT:
    """The module behind a reference model. Raises Unsupported for any other kind: where its layers are isn't known."""
    if not isinstance(model, ReferenceModel):
        raise Unsupported("only a reference model shows its activations")
    return model.gpt


def untrained(gpt: GPT, seed: int) -> GPT:
    """A model of the same shape as it starts from this seed, on the same device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT(gpt.config).to(gpt.device).eval()


@torch.inference_mode()
def activations(gpt: GPT, tokens: Tensor) -> Activations:
    """Read one text and look. tokens: (1, time) on the model's device, at most the context."""
    with _watched(gpt) as seen:
        gpt(tokens, logits_at=torch.tensor([tokens.size(1) - 1], device=tokens.device))
    return seen


@contextmanager
def _watched(gpt: GPT) -> Iterator[Activations]:
    seen = Activations()

    def stream(x: Tensor) -> None:
        seen.stream.append(_rms(x))
        seen.largest = max(seen.largest, float(x.abs().max()))

    def before_block(module: Any, given: tuple[Any, ...]) -> None:
        stream(given[0])

    def after_block(module: Any, given: tuple[Any, ...], output: Tensor) -> None:
        stream(output)

    def before_attention(module: Any, given: tuple[Any, ...]) -> None:
        seen.read.append(_rms(given[0]))

    blocks: list[Any] = list(gpt.blocks)
    hooks = [blocks[0].register_forward_pre_hook(before_block)]
    hooks += [block.register_forward_hook(after_block) for block in blocks]
    hooks += [block.attention.register_forward_pre_hook(before_attention) for block in blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())
