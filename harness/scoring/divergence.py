"""How far one model's predictions are from another's, token by token, over the whole vocabulary.

Both models read the same window once, and their logits are made at a few positions at a time (`head_slices`), so that
no more than two slices of them exist whatever the window; the softmaxes run in fp32 over a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models.contract import LanguageModel
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.head_slices import Reading, logits_in_slices, side_by_side
from harness.scoring.windows import sliding_windows

if TYPE_CHECKING:
    from torch import Tensor

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
    model: LanguageModel,
    baseline: LanguageModel,
    documents: Sequence[Sequence[int]],
    window: int,
    stride: int,
    on_tokens: Callable[[int], None] = lambda compared: None,
) -> list[Divergence]:
    """The divergence of `model` (q) from `baseline` (p), per document.

    documents: token ids, with a BOS in front where one is wanted. window, stride: see `sliding_windows`.
    on_tokens: hears of each window how many tokens were compared. ValueError if the two have vocabularies of
    different sizes.
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
                positions = torch.arange(first - start - 1, end - start - 1, device=tokens.device)
                each = (logits_in_slices(which, Reading(tokens[:, :-1]), positions) for which in (model, baseline))
                at = first - 1
                for q, p in side_by_side(*each):
                    compared = _compare(q, p, tokens[0, at + 1 - start :][: len(q)])
                    for array, values in zip(into, compared, strict=True):
                        array[at : at + len(q)] = values
                    at += len(q)
                on_tokens(end - first)
    return [d._replace(agrees=d.agrees == 1) for d in found]


def greedy(model: LanguageModel, prompts: Sequence[Sequence[int]], steps: int) -> NDArray[np.int64]:
    """Greedy continuations of prompts of one length, with a KV cache where one serves: (prompts, steps) token ids."""
    import torch

    from harness.models.rereading import served

    if len(prompts) > 1 and not model.identity.cache.rows:
        return np.concatenate([greedy(model, [prompt], steps) for prompt in prompts])
    tokens = torch.tensor(list(map(list, prompts)), dtype=torch.int64, device=model.identity.device)
    model = served(model, tokens.shape[1] + steps)
    cache = model.new_cache(len(prompts), tokens.shape[1] + steps, sliding=True)
    chosen = []
    with torch.inference_mode(), bf16_through_fp32():
        for _ in range(steps):
            last = torch.tensor([tokens.shape[1] - 1], device=tokens.device)
            tokens = model.forward(tokens, cache=cache, logits_at=last)[:, -1].argmax(-1, keepdim=True)
            chosen.append(tokens)
    return np.asarray(torch.cat(chosen, dim=1).cpu().numpy(), dtype=np.int64)


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
