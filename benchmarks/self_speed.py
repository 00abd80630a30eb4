"""The hot path of the reference as a call of `self_speed.yaml`: what `make gate` times at two commits, side by side.

Weights are drawn and not trained, so that both commits have the same ones. What is called has to be in both commits:
change this file when a name of it changes, and set a new baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.inference.engine import Engine
from reference_impl.model.gpt import GPT
from reference_impl.model.presets import preset
from reference_impl.quantization.quantize import Scheme, quantize_

VOCABULARY, PROMPT = 512, 64


def engine(precision: Scheme | None, count: int) -> tuple[Engine, Tensor, int]:
    """A small model at a precision (None: as it is), tokens to read, and how many of them behind the prompt."""
    torch.manual_seed(0)
    model = GPT(preset("micro", VOCABULARY)).eval()
    if precision is not None:
        quantize_(model, precision)
    tokens = torch.randint(VOCABULARY, (1, PROMPT + count))
    return Engine(model), tokens, count


@torch.inference_mode()
def decode(engine: Engine, tokens: Tensor, count: int) -> list[float]:
    """Token after token behind a prompt; the last logits."""
    cache = engine.new_cache(1, PROMPT + count)
    logits = engine(tokens[:, :PROMPT], cache)
    for place in range(PROMPT, PROMPT + count):
        logits = engine(tokens[:, place : place + 1], cache)
    last: list[float] = logits[0, -1].float().tolist()
    return last
