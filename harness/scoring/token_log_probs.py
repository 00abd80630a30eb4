"""The log-probabilities of given tokens, a few logits at a time: from logits, or from what a head multiplies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_PER_SOFTMAX = 2_000_000
"""Most logits that the softmax holds in fp32 at once: 8 MB, which stay in a CPU's cache."""

LOGITS_AT_ONCE = 7_500_000
"""Most logits that are made from features at once: 30 MB. What is larger than 32 MB glibc maps again each time, and
clearing its pages costs more than writing it."""
COLUMNS = 1024
"""Of the vocabulary in one product: a piece of the head that stays in a CPU's cache."""


def token_log_probs(logits: Tensor, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """ln softmax(logits[row])[token] and whether the token is the likeliest, for each of several (row, token).

    logits: (positions, vocabulary) in any type. rows, tokens: (n,) int64, rows in ascending order; one row may be
    asked for several tokens. Returns (n,) fp32 and (n,) bool; among equal logits the lowest id is the likeliest. The
    sums are fp32.
    """
    import torch

    log_probs = torch.empty(len(rows), dtype=torch.float32, device=logits.device)
    greedy = torch.empty(len(rows), dtype=torch.bool, device=logits.device)
    size = max(1, LOGITS_PER_SOFTMAX // logits.shape[-1])
    begin = 0
    for first in range(0, len(logits), size):
        some = logits[first : first + size].float()
        end = int(torch.searchsorted(rows, first + len(some)))
        row, token = rows[begin:end] - first, tokens[begin:end]
        log_probs[begin:end] = some.log_softmax(-1)[row, token]
        greedy[begin:end] = _is_first_highest(some, row, token)
        begin = end
    return log_probs, greedy


def log_probs_by_head(features: Tensor, head: Tensor, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The same where logits = features head^T: they are made for some positions at a time.

    features: (positions, width) fp32; head: (vocabulary, width) fp32.
    """
    import torch

    size = min(len(features), max(1, LOGITS_AT_ONCE // len(head)))
    buffer = torch.empty(size, len(head), device=features.device)
    found = []
    for first in range(0, len(features), size):
        some = features[first : first + size]
        logits = buffer[: len(some)]
        for column in range(0, len(head), COLUMNS):
            torch.mm(some, head[column : column + COLUMNS].T, out=logits[:, column : column + COLUMNS])
        begin, end = (int(torch.searchsorted(rows, first + n)) for n in (0, len(some)))
        found.append(token_log_probs(logits, rows[begin:end] - first, tokens[begin:end]))
    log_probs, greedy = zip(*found, strict=True)
    return torch.cat(log_probs), torch.cat(greedy)


def _is_first_highest(logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """Whether each token is its row's argmax. Maxima are quick, their places are not: few are sought."""
    highest = logits[rows, tokens] == logits.amax(-1)[rows]
    candidates = rows[highest]
    highest[highest.clone()] = logits[candidates].argmax(-1) == tokens[highest]
    return highest
