"""What a model expects at each position of a short text: the likeliest tokens, and the mass of all others.

So much of a distribution is enough to bound its divergence from another one's that is known no better, and is a
thousandth of the whole. Logits are made at a few positions at a time, and the softmax is taken in fp32 whatever the
model computes in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models.contract import LanguageModel
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.head_slices import Reading, logits_in_slices

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_PER_SOFTMAX = 2_000_000
"""Most logits that the softmax holds in fp32 at once: 8 MB."""


class TopLogProbs(NamedTuple):
    """Of one document's tokens but its first; n = len(document) - 1."""

    nll: NDArray[np.float64]
    """(n,) -ln p(token | the tokens before it), in nats."""
    ids: NDArray[np.int32]
    """(n, k) the k likeliest tokens, the likeliest first; the whole vocabulary where it has no more."""
    log_probs: NDArray[np.float32]
    """(n, k) theirs, in nats."""
    rest: NDArray[np.float32]
    """(n,) logarithm of the mass of all other tokens; -inf where there are none."""

    def beyond(self, given: int) -> TopLogProbs:
        """The same without what was told of the first `given` tokens."""
        first = given - 1
        return TopLogProbs(self.nll[first:], self.ids[first:], self.log_probs[first:], self.rest[first:])


def top_log_probs(
    model: LanguageModel,
    documents: Sequence[Sequence[int]],
    top: int,
    on_tokens: Callable[[int], None] = lambda scored: None,
) -> list[TopLogProbs]:
    """The likeliest `top` tokens at each position, per document.

    documents: token ids, with a BOS in front where one is wanted, each no longer than the model's context. One of fewer
    than two tokens gives empty arrays. on_tokens: hears of each document how many tokens were scored.
    """
    import torch

    found = []
    with torch.inference_mode(), bf16_through_fp32():
        for ids in documents:
            tokens = torch.tensor([list(ids)], dtype=torch.int64, device=model.identity.device)
            parts: list[tuple[Tensor, ...]] = []
            if len(ids) > 1:
                at = 0
                positions = torch.arange(len(ids) - 1, device=tokens.device)
                for logits in logits_in_slices(model, Reading(tokens[:, :-1]), positions):
                    parts += _parts(logits, tokens[0, at + 1 : at + 1 + len(logits)], top)
                    at += len(logits)
            found.append(_together(parts, min(top, model.identity.vocabulary)))
            on_tokens(max(len(ids) - 1, 0))
    return found


def _parts(logits: Tensor, targets: Tensor, top: int) -> list[tuple[Tensor, ...]]:
    """NLL, ids, log-probabilities and rest of some rows at a time. logits: (rows, vocabulary); targets: (rows,)."""
    rows = max(1, LOGITS_PER_SOFTMAX // logits.shape[-1])
    parts: list[tuple[Tensor, ...]] = []
    for first in range(0, len(logits), rows):
        log_probs = logits[first : first + rows].float().log_softmax(-1)
        nll = -log_probs.gather(1, targets[first : first + rows, None])[:, 0]
        best = log_probs.topk(min(top, log_probs.shape[-1]), dim=-1)
        log_probs.scatter_(1, best.indices, float("-inf"))  # the rest is summed by itself: 1 - Σ would be rounding
        parts.append((nll, best.indices, best.values, log_probs.logsumexp(-1)))
    return parts


def _together(parts: Sequence[tuple[Tensor, ...]], top: int) -> TopLogProbs:
    import torch

    if not parts:
        none = np.empty(0)
        return TopLogProbs(none, np.empty((0, top), np.int32), np.empty((0, top), np.float32), none.astype(np.float32))
    nll, ids, log_probs, rest = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    return TopLogProbs(nll.double().numpy(), ids.to(torch.int32).numpy(), log_probs.numpy(), rest.numpy())
