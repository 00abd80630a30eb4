"""The log-likelihood of a whole text, cut into windows that a model can read."""

from __future__ import annotations

from harness.mode import Mode
from harness.scoring.document_encoder import DocumentEncoder, Reads
from harness.scoring.request import Scored
from harness.scoring.windows import sliding_windows


def rolling_requests(
    model: Reads, text: str, context: int, mode: Mode = "right", stride: int | None = None
) -> list[Scored]:
    """The windows of `text`; each token of it is scored in exactly one of them. None for an empty text.

    context: the model's, in tokens. Without a stride windows are disjoint: each predicts as many tokens as the model
    holds, given one token before them, and the last one reaches back so that it is full (lm-eval's rule). With a
    stride each token has at least context - stride tokens before it, or all (`sliding_windows`).
    Mode lm-eval scores the BOS that some tokenizers add, given a BOS, as one more token; right takes it as given.
    """
    encode = DocumentEncoder(model, mode)
    ids = encode(text) if text else ()
    start = encode.start if ids else ()
    if mode == "right" and ids[: len(start)] == start:
        ids = ids[len(start) :]
    if not ids:
        return []
    told, given = (*start, *ids), len(start)
    if stride is not None:
        window = context + 1  # its last token is only predicted
        spans = [(start, end, max(first, given)) for start, end, first in sliding_windows(len(told), window, stride)]
        return [Scored(told[begin:end], first - begin) for begin, end, first in spans if first < end]
    return [Scored(told[begin : end + 1], first - begin) for begin, first, end in _disjoint(len(told), context, given)]


def _disjoint(tokens: int, context: int, given: int) -> list[tuple[int, int, int]]:
    """Of each window the first token that it reads, and the first and last that it predicts; `given` tokens are not
    predicted."""
    ends: list[tuple[int, int]] = []
    first = given
    while first < tokens:
        room = context if ends else context + 1 - given
        end = min(first + max(room, 1) - 1, tokens - 1)
        ends.append((first, end))
        first = end + 1
    return [(max(end - context, 0), first, end) for first, end in ends]
