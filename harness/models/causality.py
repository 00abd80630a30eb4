"""Whether a checkpoint is a causal language model: by what its configuration says, and by what its logits depend on.

An encoder such as BERT loads without an error into a language model's class, and an encoder-decoder such as BART as
half of itself. Both give fine small numbers that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from harness.errors import UserError

TIME = 6
"""Tokens that are looked at."""
LARGE = 0.02
"""A change of logits, as a share of their spread, that rounding can't make."""


def refuse_other_kinds(config: Any, place: str) -> None:
    """Raises UserError for an encoder-decoder and for an encoder, by their configuration, before weights are read."""
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(
            f"this is an encoder-decoder ({kind}), not a causal language model: its decoder alone would answer without "
            "having read; give a decoder-only model",
            place=place,
        )
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and getattr(config, "is_decoder", None) is False:
        raise UserError(
            f"this is an encoder ({kind} without `is_decoder: true` in its config.json), not a causal language model: "
            "it looks at the tokens after the one that it predicts; give a decoder-only model",
            place=place,
        )


def refuse_lookahead(model: Any, read: Callable[[Tensor], Tensor], vocabulary: int, place: str) -> None:
    """Raises UserError if the logits of a token depend on the tokens after it.

    read: (1, time) tokens -> (1, time, vocabulary) logits of the module `model`, in one plain pass.

    The test is exact: the derivative of a causal model's logits by the embeddings of later tokens is 0, not small. What
    has no derivative (a router that drops tokens) is seen by another last half of the text, if it is large.
    """
    device = next(model.parameters()).device
    tokens = (torch.arange(TIME, device=device) * 7 + 3).remainder(vocabulary)[None]
    if _depends(model, read, tokens) or _moves(read, tokens, vocabulary):
        raise UserError(
            "this is not a causal language model: the logits of a token depend on later tokens, as in an encoder; give "
            "a decoder-only model",
            place=place,
        )


def _depends(model: Any, read: Callable[[Tensor], Tensor], tokens: Tensor) -> bool:
    """Whether any derivative of an early logit by a later token's embedding is other than 0."""
    seen: list[Tensor] = []

    def watch(module: Any, given: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1] * 1

    needed = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in needed:
        parameter.requires_grad_(False)
    hook = model.get_input_embeddings().register_forward_hook(watch)
    early = TIME // 2
    try:
        with torch.enable_grad():
            logits = read(tokens)[0, :early].float()
            if len(seen) != 1 or not logits.requires_grad:
                return False
            [slope] = torch.autograd.grad(logits.square().sum(), seen, allow_unused=True)
            later = None if slope is None else slope.reshape(TIME, -1)[early:]  # some have time before batch
    except Exception:  # a kernel without a derivative, or another way to read tokens
        return False
    finally:
        hook.remove()
        for parameter in needed:
            parameter.requires_grad_(True)
    return later is not None and bool((later.nan_to_num() != 0).any())


@torch.inference_mode()
def _moves(read: Callable[[Tensor], Tensor], tokens: Tensor, vocabulary: int) -> bool:
    changed = tokens.clone()
    changed[0, TIME // 2 :] = (changed[0, TIME // 2 :] + 1) % vocabulary
    before, after = (read(each).float() for each in (tokens, changed))
    moved = (before - after)[:, : TIME // 2].abs().amax()
    return bool(moved > LARGE * before.std())
