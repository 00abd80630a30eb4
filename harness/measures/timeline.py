"""When each token of one greedy generation came out: the only code that runs with the clock on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.models.contract import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Timeline:
    """The moments of one generation, in nanoseconds of one clock."""

    start: int
    tokens: tuple[int, ...]
    """When each token was there, the first one from the prefill."""

    @property
    def ttft(self) -> float:
        """Time to first token, in seconds: the prefill and the choice of one token."""
        return (self.tokens[0] - self.start) / 1e9

    @property
    def steps(self) -> list[float]:
        """Seconds of each decode step. They leave no gap: their sum is E2E - TTFT."""
        return [(b - a) / 1e9 for a, b in zip(self.tokens, self.tokens[1:], strict=False)]


def generate_timed(
    model: LanguageModel, prompt: Tensor, generate: int, clock: Callable[[], int] = time.perf_counter_ns
) -> tuple[Timeline, Tensor]:
    """Greedy generation of exactly `generate` tokens after `prompt`, whatever they are (no stop token).

    prompt: (batch, time) int64 on the model's device. Inside the clock: the prefill with logits at the last token only,
    one forward pass per further token, an argmax each, and on a GPU the wait until it is done. The empty
    cache is made before. Returns the timeline and the tokens (batch, generate).
    """
    import torch

    from harness.models.rereading import served

    model = served(model, prompt.shape[1] + generate)
    cache = model.new_cache(prompt.shape[0], prompt.shape[1] + generate, sliding=True)
    last = torch.tensor([prompt.shape[1] - 1], device=prompt.device)
    finish = _finish(prompt)
    times: list[int] = []
    chosen: list[Tensor] = []
    with torch.inference_mode():
        finish()
        start = clock()
        token = model.forward(prompt, cache=cache, logits_at=last)[:, -1].argmax(dim=-1, keepdim=True)
        finish()
        times.append(clock())
        chosen.append(token)
        for _ in range(generate - 1):
            token = model.forward(token, cache=cache)[:, -1].argmax(dim=-1, keepdim=True)
            finish()
            times.append(clock())
            chosen.append(token)
        return Timeline(start, tuple(times)), torch.cat(chosen, dim=1)


def _finish(prompt: Tensor) -> Callable[[], object]:
    """Waits until the device of `prompt` has done what was asked of it: GPU calls return before they are done."""
    import torch

    if prompt.device.type == "cuda":
        return torch.cuda.synchronize
    if prompt.device.type == "mps":
        return torch.mps.synchronize
    return lambda: None
