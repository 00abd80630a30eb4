"""The negative log-likelihood of every token of a document, under any `LanguageModel`.

Memory is bounded whatever the window and the vocabulary: logits are made only where a token is scored, at a few
positions at a time (`head_slices`), and the log-softmax runs in fp32 over fewer still.

Not by `engine.score`: windows of documents share nothing and most are of one length, so they go side by side as rows of
one batch. That is as fast for a long context, and several times faster for the short ones of small models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models.contract import LanguageModel
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.head_slices import LOGITS_PER_PASS, Reading, apart, logits_in_slices
from harness.scoring.token_log_probs import log_probs_in_slices
from harness.scoring.windows import sliding_windows

TOKENS_PER_BATCH = 2048
"""Most tokens in one forward pass of several windows: more gains nothing on a CPU and costs activations."""


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
    model: LanguageModel,
    documents: Sequence[Sequence[int] | NDArray[np.int64]],
    window: int,
    stride: int,
    on_scored: Callable[[NDArray[np.float64]], None] = lambda nlls: None,
) -> list[NDArray[np.float64]]:
    """Negative log-likelihood, in nats, of each token of each document but its first.

    documents: token ids, with a BOS in front where one is wanted (then the first real token is scored too).
    window, stride: see `sliding_windows`; at most `model.identity.context` and one less. on_scored: is given the values
    of each forward pass as it ends.
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
    positions = LOGITS_PER_PASS // model.identity.vocabulary if apart(model) is None else None
    with torch.inference_mode(), bf16_through_fp32():
        for batch in _batches(passes, positions if model.identity.cache.rows else 0):
            time, scored = batch[0].shape
            ids = np.array([documents[p.document][p.start : p.end] for p in batch], dtype=np.int64)
            tokens = torch.from_numpy(ids).to(device)
            at = torch.arange(time - scored, time, device=device)
            slices = logits_in_slices(model, Reading(tokens[:, :-1]), at)
            targets = tokens[:, time - scored + 1 :].flatten()
            log_probs, _ = log_probs_in_slices(slices, torch.arange(len(targets), device=device), targets)
            for p, row in zip(batch, log_probs.view(len(batch), scored).cpu().numpy(), strict=True):
                results[p.document][p.first - 1 : p.end - 1] = -row
            on_scored(-log_probs.cpu().numpy())
    return results


def _batches(passes: list[_Pass], positions: int | None) -> Iterator[list[_Pass]]:
    """Passes of equal shape together, the largest first (what does not fit in memory fails at once).

    positions: most that may be scored in one batch of several passes; None: any number.
    """
    ordered = sorted(passes, key=lambda p: p.shape, reverse=True)
    for (time, scored), group in groupby(ordered, key=lambda p: p.shape):
        alike = list(group)
        size = TOKENS_PER_BATCH // time
        if positions is not None:
            size = min(size, positions // scored)
        for i in range(0, len(alike), max(1, size)):
            yield alike[i : i + max(1, size)]
