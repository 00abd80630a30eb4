"""What a model writes while it is trained: a look for whoever watches; nothing is measured by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from reference_impl.decoding.generation import generate
from reference_impl.decoding.request import Request
from reference_impl.decoding.sampling import Sampling
from reference_impl.inference.engine import Engine

if TYPE_CHECKING:
    from reference_impl.model.gpt import GPT
    from reference_impl.text.any_tokenizer import Tokenizer
    from reference_impl.text.packing import Tokens

PROMPT, NEW = 8, 40
"""Tokens."""
SAMPLING = Sampling(temperature=0.8, top_p=0.95)


def written_by(model: GPT, tokenizer: Tokenizer, text: Tokens) -> str:
    """How a model goes on from the beginning of a text (time,), in one line. The model stays in training mode, and the
    training's random numbers are not touched."""
    prompt = [int(token) for token in text[: min(PROMPT, model.config.context // 2)]]
    new = min(NEW, model.config.context - len(prompt))
    model.eval()
    try:
        with torch.no_grad():
            [found] = generate(
                Engine(model), [Request(prompt, new, SAMPLING)], decode=tokenizer.decode, vocabulary=tokenizer.size,
                device=model.device,
            )  # fmt: skip
    finally:
        model.train()
    whole = [*prompt, *found.tokens]
    spelled = [token for token, size in zip(whole, tokenizer.token_bytes(whole), strict=True) if size]
    return " ".join(tokenizer.decode(spelled).split())
