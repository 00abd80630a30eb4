"""The negative log-likelihood of every token of a document, under any `LanguageModel`.

Three things keep the memory small: logits are asked for only where a token is scored, the log-softmax runs in fp32 over
a few rows at a time (no second full time × vocabulary copy), and a batch is bounded by the logits that it makes.

Not by `engine.score`: windows of documents share nothing and most are of one length, so they go side by side as rows of
one batch. That is as fast for a long context, and several times faster for the short ones of small models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models.contract import LanguageModel, ModelIdentity
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.windows import sliding_windows

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_PER_BATCH = 64_000_000
"""Most logits that one forward pass may make (a single window may exceed it): 128 MB in bf16, 256 MB in fp32."""
TOKENS_PER_BATCH = 2048
"""Most tokens in one forward pass of several windows: more gains nothing on a CPU and costs activations."""
LOGITS_PER_SOFTMAX = 4_000_000
"""Most logits that the log-softmax holds in fp32 at once: 16 MB."""


class _Pass(NamedTuple):
    """One window of one document, as a forward pass sees it."""

    document: int
    start: int
    end: int
    first: int

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens put in, tokens scored: passes of one shape go in one batch, with no padding and no mask."""
        return self.end - 1 - self.start, self.end - self.first


def token_nlls(
    model: LanguageModel, documents: Sequence[Sequence[int]], window: int, stride: int
) -> list[NDArray[np.float64]]:
    """Negative log-likelihood, in nats, of each token of each document but its first.

    documents: token ids, with a BOS in front where one is wanted (then the first real token is scored too).
    window, stride: see `sliding_windows`; at most `model.identity.context` and one less.
    Returns one array per document, of len(document) - 1 values (none for an empty one): entry i is -ln p(token i + 1 |
    the tokens before it in its window). The softmax is taken in fp32 whatever the model computes in.
    """
    import torch

    results: list[NDArray[np.float64]] = [np.full(max(len(ids) - 1, 0), np.nan) for ids in documents]
    passes = [
        _Pass(document, *span)
        for document, ids in enumerate(documents)
        for span in sliding_windows(len(ids), window, stride)
    ]
    device = model.identity.device
    with torch.inference_mode(), bf16_through_fp32():
        for batch in _batches(passes, model.identity):
            time, scored = batch[0].shape
            ids = [documents[p.document][p.start : p.end] for p in batch]
            tokens = torch.tensor(ids, dtype=torch.int64, device=device)
            at = torch.arange(time - scored, time, device=device)
            logits = model.forward(tokens[:, :-1], logits_at=at)
            nll = _negative_log_softmax(logits.flatten(0, 1), tokens[:, time - scored + 1 :].flatten())
            for p, row in zip(batch, nll.view(len(batch), scored).cpu().numpy(), strict=True):
                results[p.document][p.first - 1 : p.end - 1] = row
    return results


def _batches(passes: list[_Pass], identity: ModelIdentity) -> Iterator[list[_Pass]]:
    """Passes of equal shape together, the largest first (what does not fit in memory fails at once)."""
    ordered = sorted(passes, key=lambda p: p.shape, reverse=True)
    for (time, scored), group in groupby(ordered, key=lambda p: p.shape):
        alike = list(group)
        size = max(1, min(TOKENS_PER_BATCH // time, LOGITS_PER_BATCH // (scored * identity.vocabulary)))
        size = size if identity.cache.rows else 1
        for i in range(0, len(alike), size):
            yield alike[i : i + size]


def _negative_log_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    """-ln softmax(logits)[target] per row, in fp32, some rows at a time.

    logits: (rows, vocabulary) in any type; targets: (rows,) int64. Returns (rows,) fp32.
    """
    import torch

    rows = max(1, LOGITS_PER_SOFTMAX // logits.shape[-1])
    parts = [
        torch.nn.functional.cross_entropy(logits[i : i + rows].float(), targets[i : i + rows], reduction="none")
        for i in range(0, len(targets), rows)
    ]
    return torch.cat(parts)
