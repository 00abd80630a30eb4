"""How far one model's predictions are from another's, token by token, over the whole vocabulary.

Both models read the same tokens, a chunk at a time through their KV caches, so that no more than two chunks of
logits exist whatever the window; the softmaxes run in fp32 over a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models.contract import LanguageModel
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.windows import sliding_windows

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 128
"""Tokens that a forward pass reads: 25 MB of fp32 logits for a vocabulary of 50,000, and rows enough to be quick."""
LOGITS_PER_SOFTMAX = 4_000_000
"""Most logits that each softmax holds in fp32 at once: 16 MB."""


class Divergence(NamedTuple):
    """One document's tokens but its first; each array has len(document) - 1 entries."""

    nll: NDArray[np.float64]
    """-ln q(token | the tokens before it), in nats, under the model."""
    base_nll: NDArray[np.float64]
    """-ln p(token | the tokens before it) under the baseline."""
    kl: NDArray[np.float64]
    """KL(p || q) = Σ p (ln p - ln q) over the vocabulary, in nats. Rounding below zero is cut off."""
    agrees: NDArray[np.bool_]
    """Whether both give their highest logit to the same token."""

    def beyond(self, given: int) -> Divergence:
        """The same without what was told of the first `given` tokens: the tokenizer puts them before every document."""
        first = given - 1
        return Divergence(self.nll[first:], self.base_nll[first:], self.kl[first:], self.agrees[first:])


def divergences(
    model: LanguageModel, baseline: LanguageModel, documents: Sequence[Sequence[int]], window: int, stride: int
) -> list[Divergence]:
    """The divergence of `model` (q) from `baseline` (p), per document.

    documents: token ids, with a BOS in front where one is wanted. window, stride: see `sliding_windows`.
    ValueError if the two have vocabularies of different sizes.
    """
    import torch

    if model.identity.vocabulary != baseline.identity.vocabulary:
        raise ValueError(
            f"vocabularies of {model.identity.vocabulary} and {baseline.identity.vocabulary} tokens have no divergence"
        )
    found = [Divergence(*(np.full(max(len(ids) - 1, 0), np.nan) for _ in range(4))) for ids in documents]
    with torch.inference_mode(), bf16_through_fp32():
        for ids, into in zip(documents, found, strict=True):
            for start, end, first in sliding_windows(len(ids), window, stride):
                tokens = torch.tensor([ids[start:end]], dtype=torch.int64, device=model.identity.device)
                at = first - 1
                each = (_logits(which, tokens, first - start) for which in (model, baseline))
                for q, p in zip(*each, strict=True):
                    compared = _compare(q, p, tokens[0, at + 1 - start :][: len(q)])
                    for array, values in zip(into, compared, strict=True):
                        array[at : at + len(q)] = values
                    at += len(q)
    return [d._replace(agrees=d.agrees == 1) for d in found]


def greedy(model: LanguageModel, prompts: Sequence[Sequence[int]], steps: int) -> NDArray[np.int64]:
    """Greedy continuations of prompts of one length, with a KV cache where one serves: (prompts, steps) token ids."""
    import torch

    if len(prompts) > 1 and not model.identity.cache.rows:
        return np.concatenate([greedy(model, [prompt], steps) for prompt in prompts])
    tokens = torch.tensor(list(map(list, prompts)), dtype=torch.int64, device=model.identity.device)
    cache = model.new_cache(len(prompts), tokens.shape[1] + steps)
    chosen = []
    with torch.inference_mode(), bf16_through_fp32():
        for _ in range(steps):
            last = torch.tensor([tokens.shape[1] - 1], device=tokens.device)
            tokens = model.forward(tokens, cache=cache, logits_at=last)[:, -1].argmax(-1, keepdim=True)
            chosen.append(tokens)
    return np.asarray(torch.cat(chosen, dim=1).cpu().numpy(), dtype=np.int64)


def _logits(model: LanguageModel, tokens: Tensor, first: int) -> Iterator[Tensor]:
    """Logits that predict tokens `first` … of one window, in chunks of (rows, vocabulary) in order."""
    import torch

    read = tokens.shape[1] - 1
    cache = model.new_cache(1, read)
    for start in range(0, read, CHUNK):
        stop = min(start + CHUNK, read)
        begin = max(start, first - 1)
        # one position at least, or the model has nothing to give: dropped again where it is not scored
        at = torch.arange(min(begin, stop - 1) - start, stop - start, device=tokens.device)
        logits = model.forward(tokens[:, start:stop], cache=cache, logits_at=at)[0]
        if begin < stop:
            yield logits


def _compare(q: Tensor, p: Tensor, targets: Tensor) -> tuple[NDArray[np.float64], ...]:
    """NLL under q and under p, KL(p || q), and agreement. q, p: (rows, vocabulary); targets: (rows,)."""
    import torch

    rows = max(1, LOGITS_PER_SOFTMAX // q.shape[-1])
    parts = []
    for i in range(0, len(q), rows):
        ours, theirs = (logits[i : i + rows].float().log_softmax(-1) for logits in (q, p))
        at = targets[i : i + rows, None]
        agrees = ours.argmax(-1) == theirs.argmax(-1)
        kl = (theirs.exp() * (theirs - ours)).sum(-1).clamp(min=0)
        parts.append((-ours.gather(1, at)[:, 0], -theirs.gather(1, at)[:, 0], kl, agrees.float()))
    return tuple(torch.cat(column).double().cpu().numpy() for column in zip(*parts, strict=True))
