"""From logits to the log-probabilities of given tokens, some rows at a time: no second copy of all logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_PER_SOFTMAX = 2_000_000
"""Most logits that the softmax holds in fp32 at once: 8 MB, which stay in a CPU's cache."""


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


def _is_first_highest(logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """Whether each token is its row's argmax. Maxima are quick, their places are not: few are sought."""
    highest = logits[rows, tokens] == logits.amax(-1)[rows]
    candidates = rows[highest]
    highest[highest.clone()] = logits[candidates].argmax(-1) == tokens[highest]
    return highest
