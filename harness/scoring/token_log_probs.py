"""The log-probabilities of given tokens, from logits that come a few positions at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_PER_SOFTMAX = 2_000_000
"""Most logits that the softmax holds in fp32 at once: 8 MB, which stay in a CPU's cache."""


def log_probs_in_slices(slices: Iterable[Tensor], rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """ln softmax(logits[row])[token] and whether the token is the likeliest, for each of several (row, token).

    slices: the logits, in any type, some rows at a time: (n, vocabulary) each, one after the other. rows, tokens: (n,)
    int64, rows in ascending order; one row may be asked for several tokens. Returns (n,) fp32 and (n,) bool; among
    equal logits the lowest id is the likeliest. The sums are fp32.
    """
    import torch

    # whatever is kept is made before the large temporaries, or the heap grows around it
    log_probs = torch.empty(len(rows), dtype=torch.float32, device=rows.device)
    greedy = torch.empty(len(rows), dtype=torch.bool, device=rows.device)
    buffer: Tensor | None = None
    begin = above = 0
    for logits in slices:
        size = max(1, LOGITS_PER_SOFTMAX // logits.shape[-1])
        for first in range(0, len(logits), size):
            some = logits[first : first + size].float()
            if buffer is None or len(buffer) < len(some):
                buffer = torch.empty_like(some)
            end = int(torch.searchsorted(rows, above + len(some)))
            row, token = rows[begin:end] - above, tokens[begin:end]
            log_probs[begin:end] = torch.log_softmax(some, -1, out=buffer[: len(some)])[row, token]
            greedy[begin:end] = _is_first_highest(some, row, token)
            begin, above = end, above + len(some)
    return log_probs, greedy


def token_log_probs(logits: Tensor, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The same of logits that are there as a whole: (positions, vocabulary)."""
    return log_probs_in_slices([logits], rows, tokens)


def _is_first_highest(logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """Whether each token is its row's argmax. Maxima are quick, their places are not: few are sought."""
    highest = logits[rows, tokens] == logits.amax(-1)[rows]
    candidates = rows[highest]
    highest[highest.clone()] = logits[candidates].argmax(-1) == tokens[highest]
    return highest
